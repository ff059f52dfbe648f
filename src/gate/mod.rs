//! What a ref update needs, and the hooks that ask.

pub mod path;
