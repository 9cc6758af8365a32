use bytes::BytesMut;
use wt_connection::proto::frame::FrameHeader;
use wt_connection::proto::varint::MAX;
use wt_connection::proto::{code, datagram, qpack};
use wt_connection_fuzz::{answer, connect, frame, request, varint};

use crate::Seeds;

type Fields<'a> = &'a [(&'a str, &'a str)];

const CONNECT: Fields<'_> = &[
    (":scheme", "https"),
    (":method", "CONNECT"),
    (":authority", "localhost:4433"),
    (":path", "/echo?room=1"),
    (":protocol", "webtransport"),
    ("sec-webtransport-http3-draft02", "1"),
    ("origin", "https://localhost:4433"),
];

const GET: Fields<'_> = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "example.com"),
    (":path", "/some/page.html"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
    ),
    ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br"),
    ("cookie", "a=1"),
    ("cookie", "b=2"),
    ("te", "trailers"),
    ("priority", "u=0, i"),
];

pub(crate) fn header_blocks() -> Seeds {
    [connects(), requests(), answers(), spellings(), unreadable()].concat()
}

fn connects() -> Seeds {
    let with = |more: Fields<'_>| encoded(&[CONNECT, more].concat());
    vec![
        ("connect", encoded(CONNECT)),
        ("connect_chromium", compressed(CONNECT)),
        ("connect_15", encoded(&with_protocol("webtransport-h3"))),
        ("connect_websocket", encoded(&with_protocol("websocket"))),
        (
            "connect_tunnel",
            encoded(&[(":method", "CONNECT"), (":authority", "example.com:80")]),
        ),
        (
            "connect_offer",
            with(&[("wt-available-protocols", "\"chat.v2\", \"chat.v1\"")]),
        ),
        ("connect_host", with(&[("host", "LOCALHOST:4433")])),
        ("connect_host_differs", with(&[("host", "example.org")])),
        ("connect_upper_case", with(&[("Origin", "null")])),
        ("connect_twice", with(&[(":path", "/")])),
    ]
}

fn requests() -> Seeds {
    let get_with = |more: Fields<'_>| encoded(&[GET, more].concat());
    let cookies = [("cookie", "chocolate=chip")].repeat(200);
    vec![
        ("get", encoded(GET)),
        ("get_firefox", compressed(GET)),
        ("get_of_a_connection", get_with(&[("connection", "close")])),
        ("get_bad_value", get_with(&[("x-bad", "a\r\nb: c")])),
        ("get_cookies", encoded(&[GET, &cookies[..]].concat())),
        ("get_then_connect", get_with(&[(":method", "CONNECT")])),
    ]
}

fn answers() -> Seeds {
    vec![
        (
            "answer_200",
            encoded(&[
                (":status", "200"),
                ("sec-webtransport-http3-draft", "draft02"),
            ]),
        ),
        (
            "answer_404",
            compressed(&[
                (":status", "404"),
                ("server", "by hand"),
                ("retry-after", "5"),
            ]),
        ),
        (
            "answer_103",
            encoded(&[(":status", "103"), ("link", "</style.css>; rel=preload")]),
        ),
        (
            "answer_choice",
            encoded(&[(":status", "200"), ("wt-protocol", "\"chat.v2\"")]),
        ),
        ("answer_101", encoded(&[(":status", "101")])),
    ]
}

/// Fields that are not written in the usual way.
fn spellings() -> Seeds {
    vec![
        (
            "method_connect_by_name",
            b"\0\0\x5f\x00\x07CONNECT\xc1".to_vec(),
        ),
        ("method_get_by_name", b"\0\0\x5f\x00\x03GET\xc1".to_vec()),
        (
            "method_spelled_behind_another",
            b"\0\0\xd1\x27\x00:method\x07CONNECT".to_vec(),
        ),
        ("never_indexed", b"\0\0\x71\x01/\x32ab\x01c".to_vec()),
        (
            "huffman_every_byte",
            compressed_bytes(&(0..=u8::MAX).collect::<Vec<_>>()),
        ),
        ("huffman_longest", compressed_bytes(&[0; 600])),
        ("empty", vec![0, 0]),
    ]
}

/// Blocks that no decoder without a dynamic table can make anything of.
fn unreadable() -> Seeds {
    vec![
        ("base", vec![0, 0x7f, 5, 0xd1]),
        ("dynamic", vec![2, 0, 0x80]),
        ("behind_the_base", vec![0, 0, 0x10]),
        ("behind_the_table", vec![0, 0, 0xff, 36]),
        (
            "great_integer",
            [&[0, 0, 0x27][..], &[0xff; 8], &[0x3f]].concat(),
        ),
        ("huffman_padding_wrong", vec![0, 0, 0x51, 0x81, 0x18]),
        ("huffman_padding_long", vec![0, 0, 0x51, 0x82, 0x1f, 0xff]),
        (
            "huffman_end",
            vec![0, 0, 0x51, 0x84, 0xff, 0xff, 0xff, 0xff],
        ),
    ]
}

fn with_protocol(protocol: &str) -> Vec<(&str, &str)> {
    let fields = CONNECT.iter().copied();
    let set = |(name, value)| (name, if name == ":protocol" { protocol } else { value });
    fields.map(set).collect()
}

fn encoded(fields: Fields<'_>) -> Vec<u8> {
    let mut block = Vec::new();
    qpack::encode(
        fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        &mut block,
    );
    block
}

/// All names and values spelled out, in Huffman's code.
fn compressed(fields: Fields<'_>) -> Vec<u8> {
    let mut block = vec![0, 0];
    for (name, value) in fields {
        string(&mut block, 0x28, 3, name.as_bytes());
        string(&mut block, 0x80, 7, value.as_bytes());
    }
    block
}

fn compressed_bytes(value: &[u8]) -> Vec<u8> {
    let mut block = vec![0, 0, 0x51];
    string(&mut block, 0x80, 7, value);
    block
}

fn string(block: &mut Vec<u8>, flags: u8, prefix: u32, string: &[u8]) {
    let mut code = Vec::new();
    httlib_huffman::encode(string, &mut code).expect("every byte has a code");
    let mask = (1 << prefix) - 1;
    let mut rest = code.len();
    if rest < mask {
        block.push(flags | rest as u8);
    } else {
        block.push(flags | mask as u8);
        rest -= mask;
        while rest > 0x7f {
            block.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        block.push(rest as u8);
    }
    block.extend(code);
}

pub(crate) fn frames() -> Seeds {
    let get = request("GET", "/");
    let post = request("POST", "/");
    let after = |frames: &[(u64, &[u8])]| {
        let frames = frames.iter().flat_map(|(ty, payload)| frame(*ty, payload));
        post.iter().copied().chain(frames).collect::<Vec<u8>>()
    };
    let endless = |ty| {
        let mut bytes = post.clone();
        FrameHeader { ty, len: MAX }.encode(&mut bytes);
        bytes.extend([0; 40]);
        bytes
    };
    let trailers = encoded(&[("checksum", "17")]);
    vec![
        ("get", get.clone()),
        ("connect", connect("/")),
        (
            "answer",
            [answer("103"), answer("200"), frame(0, b"content")].concat(),
        ),
        (
            "reserved_before",
            [frame(0x21, b"grease"), frame(0x40, b""), get].concat(),
        ),
        ("content", after(&[(0, b"content")])),
        (
            "content_in_frames",
            after(&[(0, b"a"), (0, b"b"), (0x21, b"grease"), (0, b"c")]),
        ),
        ("content_empty", after(&[(0, b""), (0, b"a"), (0, b"")])),
        ("trailers", after(&[(0, b"content"), (1, &trailers)])),
        (
            "trailers_then_content",
            after(&[(1, &trailers), (0, b"content")]),
        ),
        ("trailers_long", after(&[(1, &[0; 65])])),
        ("settings", after(&[(4, b"")])),
        ("push_promise", after(&[(5, b"\0\0\0")])),
        ("http_2", after(&[(9, b"")])),
        ("data_first", frame(0, b"content")),
        ("endless_content", endless(0)),
        ("endless_trailers", endless(1)),
        ("endless_reserved", endless(0x21)),
        ("endless_headers", endless(1)[post.len()..].to_vec()),
        ("many_reserved", frame(0x21, b"").repeat(400)),
        (
            "truncated",
            after(&[(0, b"content")])[..post.len() + 4].to_vec(),
        ),
    ]
}

pub(crate) fn fields() -> Seeds {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "datagram_session_0",
            datagram::encode(&mut BytesMut::new(), 0, b"hello").to_vec(),
        ),
        (
            "datagram_session_400",
            datagram::encode(&mut BytesMut::new(), 400, b"hello").to_vec(),
        ),
        (
            "datagram_greatest",
            datagram::encode(&mut BytesMut::new(), MAX - 3, b"").to_vec(),
        ),
        ("datagram_too_great", varint(MAX / 4 + 1)),
        ("datagram_truncated", vec![0x80, 0]),
        ("code_first", varint(code::to_wire(0))),
        ("code_last", varint(code::to_wire(u32::MAX))),
        ("code_reserved", varint(code::to_wire(0x1d) + 1)),
        ("strings", text(r#""chat.v2", "chat.v1""#)),
        ("tokens", text("chat.v2, chat.v1")),
        ("parameters", text(r#"a;q=0.5, "b";x;y=?0;z=:AQI=:"#)),
        ("lines", text("a, b\n\"c\"")),
        ("one", text("\"chat.v2\"")),
        ("escapes", text(r#""a \"b\" \\c""#)),
        ("lines_of_one_string", text("\"a\nb\"")),
        ("inner_list", text("(a b), c")),
        (
            "other_types",
            text("1, 1.5, ?1, :AQI=:, @1659578233, %\"f%c3%bc\""),
        ),
        ("comma", text("a,")),
    ]
}
