//! The gate and receive-pack killed at each write.
