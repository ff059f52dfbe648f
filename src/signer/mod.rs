//! Keys, signatures in the making, and the durable sign state.
