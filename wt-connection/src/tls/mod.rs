//! Trust and identity.
