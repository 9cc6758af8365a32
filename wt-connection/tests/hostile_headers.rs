//! Header blocks that break the rules or the limits, to a server and to a client.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::hostile::{Bystander, H3_FRAME_ERROR, claim};
use common::plain::Exchange;
use common::raw::{
    self, H3_MESSAGE_ERROR, Raw, data, frame, reset_code, settings, stop_code, varint,
};
use common::serve::{H3_EXCESSIVE_LOAD, H3_FRAME_UNEXPECTED};
use wt_connection::{Connection, Limits, OpenError};

const HEADERS: u64 = 0x01;
const QPACK_DECOMPRESSION_FAILED: u64 = 0x200;

/// Blocks that no decoder without a dynamic table can make anything of.
const UNREADABLE: &[&[u8]] = &[
    // Nothing, half a prefix, and prefixes that count entries or go below them.
    &[],
    &[0],
    &[1, 0],
    &[0, 0x80],
    &[
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,
    ],
    // Entries of the dynamic table, by index and as names, before and behind the base.
    &[0, 0, 0x80],
    &[0, 0, 0x10],
    &[0, 0, 0x40, 1, b'x'],
    &[0, 0, 0x00, 1, b'x'],
    // Behind the end of the static table, as an entry and as a name.
    &[0, 0, 0xff, 36],
    &[0, 0, 0x5f, 84, 1, b'x'],
    // Integers without an end, and over 62 bits.
    &[0, 0, 0xff, 0x80, 0x80],
    &[
        0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    // Strings longer than the block, the second by 2^62 bytes.
    &[0, 0, 0x51, 5, b'/'],
    &[
        0, 0, 0x51, 0x7f, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f,
    ],
    // Huffman's code with zeros for padding, a byte of padding, and its end spelled out.
    &[0, 0, 0x51, 0x81, 0x18],
    &[0, 0, 0x51, 0x82, 0x1f, 0xff],
    &[0, 0, 0x51, 0x84, 0xff, 0xff, 0xff, 0xff],
    &[0, 0, 0x29, 0xff, 1, b'x'],
];

#[tokio::test]
async fn a_request_that_cannot_be_decoded_ends_that_connection_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for block in UNREADABLE {
            let (peer, _beside) = bystander.client().await;
            let (mut send, _recv) = peer.connect_stream().await;
            send.write_all(&frame(HEADERS, block)).await.unwrap();

            let code = peer.close_code().await;

            assert_eq!(code, QPACK_DECOMPRESSION_FAILED, "{block:x?}");
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_decoded_ends_that_connection_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for block in UNREADABLE {
            let (peer, client, session, _exchange) = bystander.server().await;

            let (opened, _answered) = answer(&client, &peer, &frame(HEADERS, block)).await;

            assert!(matches!(opened, OpenError::Connection(_)), "{opened:?}");
            let code = peer.close_code().await;
            assert_eq!(code, QPACK_DECOMPRESSION_FAILED, "{block:x?}");
            session.closed().await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_that_begins_with_no_headers_ends_that_connection_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for (bytes, ends, expected) in no_headers() {
            let (peer, _beside) = bystander.client().await;
            let (mut send, _recv) = peer.connect_stream().await;
            send.write_all(&bytes).await.unwrap();
            if ends {
                send.finish().unwrap();
            }

            assert_eq!(peer.close_code().await, expected, "{bytes:x?}");
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_begins_with_no_headers_ends_that_connection_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        for (bytes, ends, expected) in no_headers() {
            let (peer, client, _session, _exchange) = bystander.server().await;

            let write = async {
                let mut exchange = Exchange::accept(&peer).await;
                exchange.write(&bytes).await;
                if ends {
                    exchange.end(b"").await;
                }
                exchange
            };
            let (opened, _exchange) = tokio::join!(client.open("/"), write);

            assert!(opened.is_err(), "{bytes:x?}");
            assert_eq!(peer.close_code().await, expected, "{bytes:x?}");
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn requests_over_the_limit_are_answered_with_431_and_the_session_beside_lives() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, beside) = bystander.client().await;
        for block in bombs() {
            let (mut send, mut recv) = peer.connect_stream().await;
            send.write_all(&block).await.unwrap();

            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "431");
            beside.lives(&peer).await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn answers_over_the_limit_cost_their_request_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, client, session, exchange) = bystander.server().await;
        for block in bombs() {
            let (opened, answered) = answer(&client, &peer, &block).await;

            assert!(matches!(opened, OpenError::Malformed), "{opened:?}");
            assert_eq!(stop_code(&answered.send).await, H3_EXCESSIVE_LOAD);
            common::plain::converse(&session, &exchange, &peer).await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn interim_answers_without_end_cost_their_request_alone() {
    // Each was passed over, for as long as they came.
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, client, session, exchange) = bystander.server().await;
        let interim = raw::response("103");

        let (opened, mut answered) = answer(&client, &peer, &interim.repeat(33)).await;

        assert!(matches!(opened, OpenError::Malformed), "{opened:?}");
        assert_eq!(stop_code(&answered.send).await, H3_EXCESSIVE_LOAD);
        assert_eq!(answered.reset().await, H3_EXCESSIVE_LOAD);
        let most = [interim.repeat(32), raw::response("200")].concat();
        let answer = async {
            let mut exchange = Exchange::accept(&peer).await;
            exchange.write(&most).await;
            exchange
        };
        let (opened, _answered) = tokio::join!(client.open("/"), answer);
        opened.unwrap();
        common::plain::converse(&session, &exchange, &peer).await;
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn requests_without_end_before_their_headers_cost_their_stream_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, beside) = bystander.client().await;
        for endless in [frame(0x21, &[]).repeat(500), frame(0x21, &[1; 1000])] {
            let (mut send, mut recv) = peer.connect_stream().await;
            while send.write_all(&endless).await.is_ok() {}

            assert_eq!(reset_code(&mut recv).await, H3_EXCESSIVE_LOAD);
            beside.lives(&peer).await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn connects_that_are_malformed_leave_the_session_beside_alone() {
    let whole = [
        (":method", "CONNECT"),
        (":protocol", "webtransport"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/"),
    ];
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, beside) = bystander.client().await;
        let mut cases = vec![whole[..3].to_vec(), vec![whole[0], whole[1]]];
        for index in 0..whole.len() {
            // Twice, and behind what is no pseudo header.
            cases.push([&whole[..], &[whole[index]]].concat());
            let mut late = whole.to_vec();
            late.remove(index);
            cases.push([&late[..], &[("x", "y"), whole[index]]].concat());
        }
        for more in [
            (":status", "200"),
            (":unknown", "1"),
            ("X-Upper", "case"),
            ("x y", "z"),
            ("", "z"),
            ("x", "a\r\nb"),
            ("x", "a\0b"),
            ("transfer-encoding", "chunked"),
            ("host", "elsewhere"),
        ] {
            cases.push([&whole[..], &[more]].concat());
        }
        for fields in cases {
            let (mut send, mut recv) = peer.connect_stream().await;
            send.write_all(&raw::headers(&fields)).await.unwrap();

            assert_eq!(reset_code(&mut recv).await, H3_MESSAGE_ERROR, "{fields:?}");
            assert_eq!(stop_code(&send).await, H3_MESSAGE_ERROR, "{fields:?}");
            beside.lives(&peer).await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn answers_that_are_malformed_leave_the_session_beside_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, client, session, exchange) = bystander.server().await;
        for fields in [
            &[][..],
            &[("x", "y")],
            &[(":status", "99")],
            &[(":status", "2000")],
            &[(":status", "abc")],
            &[(":status", "101")],
            &[(":status", "200"), (":status", "200")],
            &[("x", "y"), (":status", "200")],
            &[(":status", "200"), (":path", "/")],
            &[(":status", "200"), ("X-Upper", "case")],
            &[(":status", "200"), ("x", "a\r\nb")],
            &[(":status", "200"), ("connection", "close")],
        ] {
            let (opened, answered) = answer(&client, &peer, &raw::headers(fields)).await;

            assert!(matches!(opened, OpenError::Malformed), "{opened:?}");
            let code = stop_code(&answered.send).await;
            assert_eq!(code, H3_MESSAGE_ERROR, "{fields:?}");
            common::plain::converse(&session, &exchange, &peer).await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_string_of_a_plain_request_that_cannot_be_decoded_ends_the_connection() {
    // Method, scheme and path by the static table, and a value in Huffman's code that is wrong.
    const BLOCK: &[u8] = &[
        0, 0, 0xd1, 0xd7, 0xc1, 0x50, 1, b'a', 0x21, b'x', 0x81, 0x18,
    ];
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, _beside) = bystander.client().await;
        let (mut send, _recv) = peer.connect_stream().await;
        send.write_all(&frame(HEADERS, BLOCK)).await.unwrap();

        assert_eq!(peer.close_code().await, QPACK_DECOMPRESSION_FAILED);

        bystander.unharmed().await;
    })
    .await;
}

/// What is no HEADERS frame, whether the stream ends behind it, and what that costs.
fn no_headers() -> Vec<(Vec<u8>, bool, u64)> {
    let headers = raw::headers(&[(":status", "200")]);
    vec![
        (data(b"x"), false, H3_FRAME_UNEXPECTED),
        (settings(&[]), false, H3_FRAME_UNEXPECTED),
        (frame(0x03, &[0]), false, H3_FRAME_UNEXPECTED),
        (frame(0x05, &[0]), false, H3_FRAME_UNEXPECTED),
        (frame(0x07, &[0]), false, H3_FRAME_UNEXPECTED),
        (frame(0x0d, &[0]), false, H3_FRAME_UNEXPECTED),
        (frame(0x06, &[0; 8]), false, H3_FRAME_UNEXPECTED),
        // Cut off in the type of a frame, its length, and its payload.
        (varint(HEADERS), true, H3_FRAME_ERROR),
        (vec![0x01, 0x40], true, H3_FRAME_ERROR),
        (headers[..headers.len() - 1].to_vec(), true, H3_FRAME_ERROR),
        (frame(0x21, b"x")[..2].to_vec(), true, H3_FRAME_ERROR),
    ]
}

/// HEADERS frames that are small on the wire, and too large for the limit.
fn bombs() -> Vec<Vec<u8>> {
    let indexed = [&[0, 0][..], &[0xd1; 15_000]].concat();
    // The letter 'a' has five bits, so that 8 of them fit into 5 bytes.
    let huffman = [0x18, 0xc6, 0x31, 0x8c, 0x63].repeat(2_100);
    let compressed = [&[0, 0, 0x21, b'x', 0xff, 0x85, 0x51][..], &huffman].concat();
    let long = "x".repeat(17_000);
    vec![
        frame(HEADERS, &indexed),
        frame(HEADERS, &compressed),
        raw::headers(&[("x", &long)]),
        raw::headers(&[(&long, "x")]),
        claim(HEADERS, (1 << 62) - 1),
    ]
}

/// Asks for a session, which the server answers so.
async fn answer(client: &Connection, peer: &Raw, bytes: &[u8]) -> (OpenError, Exchange) {
    let write = async {
        let mut exchange = Exchange::accept(peer).await;
        exchange.write(bytes).await;
        exchange
    };
    let (opened, exchange) = tokio::join!(client.open("/"), write);
    (opened.unwrap_err(), exchange)
}
