//! The CONNECT of a session and its answer, as `http` types
//! ([RFC 9220](https://www.rfc-editor.org/rfc/rfc9220),
//! [RFC 9114 §4](https://www.rfc-editor.org/rfc/rfc9114#section-4)).

mod error;
mod headers;
mod pseudo;
mod request;
mod response;

pub use error::MessageError;
#[cfg(fuzzing)]
pub use request::Protocol;
pub use request::{check_plain, decode_connect, encode_connect, is_extended_connect};
pub use response::{decode_response, encode_response};
