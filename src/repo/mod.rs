//! Git itself: the only room that starts `git` or opens an object database.
