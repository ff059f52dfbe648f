//! What a ref update needs, and the hooks that ask.
