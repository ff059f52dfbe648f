//! That no fault point is forgotten, and that a release build has none.
