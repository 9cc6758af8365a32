//! Bytes of HTTP/3, by the encoders of the crate itself.

use wt_connection::proto::credit::Credit;
use wt_connection::proto::settings::Settings;
use wt_connection::proto::{control, frame, qpack, stream_header};

/// What either side may send in a session at first: little, so that more is asked for.
pub const CREDIT: Credit = Credit {
    data: 100,
    bi_streams: 4,
    uni_streams: 4,
};

/// A control stream with the settings of a peer of all drafts.
pub fn control(server: bool) -> Vec<u8> {
    control::opening(&Settings::ours(8, 16 * 1024, CREDIT, server)).to_vec()
}

/// A CONNECT for a session, in its frame.
pub fn connect(path: &str) -> Vec<u8> {
    headers(&[
        (":method", "CONNECT"),
        (":protocol", "webtransport"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
        ("wt-available-protocols", "\"a\", \"b\""),
    ])
}

/// A request for no session, in its frame.
pub fn request(method: &str, path: &str) -> Vec<u8> {
    headers(&[
        (":method", method),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
        ("accept", "*/*"),
    ])
}

/// An answer, in its frame.
pub fn answer(status: &str) -> Vec<u8> {
    headers(&[(":status", status), ("server", "by hand")])
}

/// A frame, or a capsule.
pub fn frame(ty: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put(&mut bytes, ty, payload);
    bytes
}

/// What a unidirectional stream of a session begins with.
pub fn uni_header(session: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream_header::encode_uni(&mut bytes, session);
    bytes
}

pub fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    wt_connection::proto::varint::put(&mut bytes, value);
    bytes
}

fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    qpack::encode(fields, &mut block);
    frame(frame::HEADERS, &block)
}
