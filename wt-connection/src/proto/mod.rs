//! The wire format, without IO.
//!
//! HTTP/3 as far as WebTransport needs it: the peer's control stream, the first bytes of every
//! other stream, the CONNECT and its answer, capsules, datagrams. All of it is plain functions and
//! readers that are given bytes and give back values; whoever owns the sockets decides what
//! follows.
//!
//! Whatever a peer can send is a value or a fault, never a panic. Nothing is allocated by a length
//! that a peer announces: memory grows only with bytes that have arrived, and each reader documents
//! how many of those it keeps.
#![cfg_attr(
    not(fuzzing),
    expect(unreachable_pub, reason = "the module is public to fuzz targets only")
)]
#![cfg_attr(
    fuzzing,
    expect(
        clippy::exhaustive_enums,
        clippy::exhaustive_structs,
        clippy::should_implement_trait,
        reason = "fuzz targets change with the code"
    )
)]

pub mod capsule;
pub mod chunk;
pub mod code;
pub mod content_frames;
pub mod control;
pub mod credit;
pub mod datagram;
pub mod direction;
pub mod draft;
pub mod fault;
pub mod flow;
pub mod frame;
pub mod generation;
pub mod headers_frame;
pub mod message;
pub mod qpack;
pub mod settings;
pub mod stream_header;
pub mod subprotocol;
pub mod varint;
