//! The frames of a request stream: the header block that is found, and what h3 may see behind it,
//! are the same however the stream is cut, and by the rules.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wt_connection::proto::content_frames::ContentFrames;
use wt_connection::proto::fault::Fault;
use wt_connection::proto::frame::{self, FrameHeader};
use wt_connection::proto::headers_frame::HeadersReader;
use wt_connection_fuzz::{cuts, kept};

fuzz_target!(|bytes: &[u8]| {
    let cuts = cuts(bytes);
    for max_len in [64, 16 * 1024] {
        let headers = headers(&cuts[0], max_len);
        for pieces in &cuts[1..] {
            assert_eq!(self::headers(pieces, max_len), headers);
        }
        assert_headers(bytes, &headers, max_len);
        for (new, most) in MESSAGES {
            let content = content(&cuts[0], new(max_len));
            for pieces in &cuts[1..] {
                assert_eq!(self::content(pieces, new(max_len)), content);
            }
            assert_content(bytes, &content, max_len, most);
        }
    }
});

/// Begins to read a message.
type Message = fn(usize) -> ContentFrames;

/// How a message is read, and how many HEADERS it may have.
const MESSAGES: [(Message, usize); 2] = [
    (ContentFrames::of_request, 2),
    (ContentFrames::of_response, usize::MAX),
];

/// The header block, and what follows it.
type Headers = Result<Option<(Bytes, Bytes)>, Fault>;

/// What passes, how much of that is content, and whether the stream may end there.
type Content = (Vec<u8>, usize, Result<(), Fault>);

fn headers(pieces: &[Bytes], max_len: usize) -> Headers {
    let mut reader = HeadersReader::new(max_len);
    let mut pieces = pieces.iter();
    let mut pushed = 0;
    while let Some(piece) = pieces.next() {
        reader.push(piece.clone());
        pushed += 1;
        if let Some(block) = reader.next()? {
            pieces.for_each(|piece| reader.push(piece.clone()));
            assert_eq!(reader.next(), Ok(None), "the block is given once");
            return Ok(Some((block, reader.into_rest())));
        }
        if pushed % 64 == 0 {
            // What was read before the last piece, and that piece.
            assert!(kept(&reader) <= 16 * 1024 + 16 + max_len + piece.len());
        }
    }
    Ok(None)
}

fn content(pieces: &[Bytes], mut frames: ContentFrames) -> Content {
    let (mut passed, mut content) = (Vec::new(), 0);
    for piece in pieces {
        frames.push(piece.clone());
        loop {
            match frames.next() {
                Ok(Some(piece)) => {
                    assert!(!piece.bytes.is_empty() && piece.content <= piece.bytes.len());
                    passed.extend_from_slice(&piece.bytes);
                    content += piece.content;
                }
                Ok(None) => break,
                Err(fault) => return (passed, content, Err(fault)),
            }
        }
        assert!(
            kept(&frames) < 16,
            "an incomplete frame header is kept, and nothing else"
        );
    }
    (passed, content, frames.finish())
}

fn assert_headers(bytes: &[u8], headers: &Headers, max_len: usize) {
    let frames = frames(bytes);
    let first = frames.iter().find(|(header, _)| frame::is_known(header.ty));
    if let Ok(Some((block, rest))) = headers {
        let (header, payload) = first.expect("a block was found");
        assert_eq!((header.ty, &block[..]), (frame::HEADERS, *payload));
        assert!(block.len() <= max_len && bytes.ends_with(rest));
        assert!(bytes[..bytes.len() - rest.len()].ends_with(block));
    }
    if let Err(Fault::Connection(_)) = headers {
        assert!(first.is_some_and(|(header, _)| header.ty != frame::HEADERS));
    }
}

/// What h3 sees are the frames that it is to see, of the same bytes.
fn assert_content(bytes: &[u8], (passed, content, end): &Content, max_len: usize, most: usize) {
    let visible = |header: &FrameHeader| match header.ty {
        frame::DATA => header.len > 0,
        ty => ty == frame::HEADERS && header.len <= max_len as u64,
    };
    let mut headers = 0;
    let expected: Vec<_> = frames(bytes)
        .into_iter()
        .take_while(|(header, _)| {
            let may_come = !frame::is_known(header.ty) || headers < most;
            headers += usize::from(header.ty == frame::HEADERS);
            may_come && (visible(header) || header.ty == frame::DATA || !frame::is_known(header.ty))
        })
        .filter(|(header, _)| visible(header))
        .collect();
    let seen = frames(passed);
    assert_eq!(seen, expected);
    let data = seen.iter().filter(|(header, _)| header.ty == frame::DATA);
    assert_eq!(
        *content,
        data.map(|(_, payload)| payload.len()).sum::<usize>()
    );
    if end.is_ok() {
        let whole = |(header, payload): &(FrameHeader, &[u8])| header.len == payload.len() as u64;
        assert!(seen.iter().all(whole));
    }
}

/// All frames of a stream, the last of which may be cut off.
fn frames(mut bytes: &[u8]) -> Vec<(FrameHeader, &[u8])> {
    let mut frames = Vec::new();
    while let Some(header) = FrameHeader::decode(&mut bytes) {
        let len = usize::try_from(header.len)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let payload;
        (payload, bytes) = bytes.split_at(len);
        frames.push((header, payload));
    }
    frames
}
