//! The one mapping of errors to the wire.
