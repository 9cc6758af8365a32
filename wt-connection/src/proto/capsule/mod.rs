//! Capsules, which speak of a session on its CONNECT stream
//! ([RFC 9297 §3](https://www.rfc-editor.org/rfc/rfc9297#section-3)).

mod data;
mod kind;
mod reader;

pub use kind::{Capsule, truncate_reason};
pub use reader::CapsuleReader;
