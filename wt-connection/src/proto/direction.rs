//! Which way the bytes of a stream go.

/// The two kinds of streams, which are limited apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both sides send.
    Bi,
    /// Only the side that opened the stream sends.
    Uni,
}
