//! QPACK without a dynamic table ([RFC 9204](https://www.rfc-editor.org/rfc/rfc9204)).
//!
//! We announce a table capacity of 0, so a peer can only refer to the static table or spell fields
//! out, and so do we.

mod decoder;
mod decoder_stream;
mod encoder;
mod encoder_stream;
mod error;
mod glance;
mod integer;
mod static_table;
mod string;

pub use decoder::{Field, decode};
pub use decoder_stream::DecoderStream;
pub use encoder::encode;
pub use encoder_stream::check_encoder_stream;
pub use error::QpackError;
pub use glance::is_plain_request;

/// What each field counts beside its bytes.
const FIELD_OVERHEAD: usize = 32;
