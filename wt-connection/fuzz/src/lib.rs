//! What the fuzz targets share.

mod app;
mod kept;
mod peer;
mod pieces;
mod program;
mod wire;
mod world;

pub use app::{App, Live, serve};
pub use kept::kept;
pub use peer::Peer;
pub use pieces::{cuts, pieces};
pub use program::{Op, Program};
pub use wire::{CREDIT, answer, connect, control, frame, request, uni_header, varint};
pub use world::{RawClient, World, limits, localhost, narrow_localhost, within};
