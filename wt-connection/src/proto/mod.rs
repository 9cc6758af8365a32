//! The wire format, without IO.
