use wt_connection::proto::capsule::Capsule;
use wt_connection::proto::control;
use wt_connection::proto::direction::Direction;
use wt_connection::proto::draft;
use wt_connection::proto::frame::FrameHeader;
use wt_connection::proto::settings::Settings;
use wt_connection::proto::varint::MAX;
use wt_connection_fuzz::{CREDIT, frame, uni_header, varint};

use crate::Seeds;

pub(crate) fn settings() -> Seeds {
    let ours = |server| {
        let mut payload = Vec::new();
        Settings::ours(128, 16 * 1024, CREDIT, server).encode(&mut payload);
        payload
    };
    let many: Vec<_> = (0x40..0x40 + 65).map(|id| (id, 0)).collect();
    let mut seeds = generations();
    seeds.extend([
        ("ours_server", ours(true)),
        ("ours_client", ours(false)),
        ("chromium", chromium()),
        ("greatest", pairs(&[(MAX, MAX)])),
        ("most", pairs(&many[..64])),
        ("too_many", pairs(&many)),
        ("twice", pairs(&[(0x33, 1), (6, 100), (0x33, 1)])),
        ("http_2", pairs(&[(4, 65_535)])),
        ("neither_0_nor_1", pairs(&[(0x33, 2)])),
        (
            "not_the_shortest",
            vec![0x40, 0x33, 0x80, 0, 0, 1, 0xc0, 0, 0, 0, 0, 0, 0, 8, 1],
        ),
        ("truncated", vec![0x33, 1, 0x6b]),
        ("reserved", pairs(&[(0, 1)])),
    ]);
    seeds
}

/// Settings of peers that speak one draft or another, or none.
fn generations() -> Seeds {
    vec![
        (
            "firefox",
            pairs(&[
                (1, 65_536),
                (7, 20),
                (8, 1),
                (0x33, 1),
                (0xff_d277, 1),
                (0x2b60_3742, 1),
            ]),
        ),
        ("plain_http", pairs(&[(6, 16_384), (8, 0), (0x33, 0)])),
        (
            "draft_02",
            pairs(&[(8, 1), (0x33, 1), (0x2b60_3742, 1), (0x2b60_3743, 16)]),
        ),
        (
            "draft_07",
            pairs(&[(8, 1), (0x33, 1), (draft::MAX_SESSIONS_07, 16)]),
        ),
        (
            "draft_13",
            pairs(&[
                (8, 1),
                (0x33, 1),
                (draft::MAX_SESSIONS_13, 4),
                (0x2b61, 65_536),
            ]),
        ),
        (
            "draft_15",
            pairs(&[
                (8, 1),
                (0x33, 1),
                (draft::ENABLED_15, 1),
                (0x2b61, MAX),
                (0x2b64, 100),
            ]),
        ),
    ]
}

fn pairs(pairs: &[(u64, u64)]) -> Vec<u8> {
    let pairs = pairs
        .iter()
        .flat_map(|(id, value)| [varint(*id), varint(*value)]);
    pairs.flatten().collect()
}

fn chromium() -> Vec<u8> {
    let known = [
        (1, 65_536),
        (6, 16_384),
        (7, 100),
        (0x33, 1),
        (0xff_d277, 1),
        (0x2b60_3742, 1),
    ];
    // And one that is reserved, so that it is ignored.
    let pairs = known
        .into_iter()
        .chain([(0x1f * 0xabc_def0 + 0x21, 0x1234_5678)]);
    pairs
        .flat_map(|(id, value)| [varint(id), varint(value)])
        .flatten()
        .collect()
}

pub(crate) fn control() -> Seeds {
    let opening = frame(0x04, &chromium());
    let after = |frames: &[(u64, &[u8])]| {
        let frames = frames.iter().flat_map(|(ty, payload)| frame(*ty, payload));
        opening.iter().copied().chain(frames).collect::<Vec<u8>>()
    };
    let endless = |ty| {
        let mut bytes = opening.clone();
        FrameHeader { ty, len: MAX }.encode(&mut bytes);
        bytes.extend([0; 20]);
        bytes
    };
    let goaways = [8, 4, 0].map(|id| control::goaway(id).to_vec()).concat();
    vec![
        ("chromium", opening.clone()),
        ("empty_settings", frame(0x04, b"")),
        ("goaways", [&opening[..], &goaways].concat()),
        ("goaway_grows", after(&[(7, &[4]), (7, &[8])])),
        ("goaway_of_a_push", after(&[(7, &[3])])),
        ("goaway_long", after(&[(7, &[0; 9])])),
        ("max_push_ids", after(&[(0x0d, &[1]), (0x0d, &[0x40, 9])])),
        ("max_push_id_shrinks", after(&[(0x0d, &[9]), (0x0d, &[1])])),
        ("cancel_push", after(&[(3, &[0])])),
        (
            "priority_update",
            after(&[(0xf_0700, b"\x00u=1, i"), (7, &[0])]),
        ),
        (
            "reserved_frames",
            after(&[(0x21, b""), (0x40, b"grease"), (7, &[0])]),
        ),
        ("settings_twice", after(&[(4, b"")])),
        ("no_settings", frame(7, &[0])),
        ("data", after(&[(0, b"data")])),
        ("http_2_ping", after(&[(6, &[0; 8])])),
        ("endless_settings", endless(4)[opening.len()..].to_vec()),
        ("endless_reserved", endless(0x21)),
    ]
}

/// What comes on the streams of QPACK.
pub(crate) fn qpack() -> Seeds {
    vec![
        ("nothing", vec![]),
        ("capacities", vec![0x20, 0x20]),
        ("capacity", vec![0x20, 0x3f, 0xe1, 0x1f]),
        ("insertion", vec![0xc1, 1, b'x']),
        ("cancellations", vec![0x40, 0x44, 0x7e]),
        (
            "cancellation_of_a_late_stream",
            vec![0x7f, 0x80, 0x80, 1, 0x41],
        ),
        ("cancellation_cut_off", vec![0x44, 0x7f, 0x80]),
        ("cancellation_longest", longest(9)),
        ("cancellation_too_long", longest(10)),
        ("acknowledgement", vec![0x40, 0x84]),
        ("increment", vec![0x01]),
    ]
}

/// The cancellation of a stream whose id takes so many bytes behind the first.
fn longest(behind: usize) -> Vec<u8> {
    let mut bytes = vec![0x80; behind + 1];
    (bytes[0], bytes[behind]) = (0x7f, 0x01);
    bytes
}

pub(crate) fn capsules() -> Seeds {
    let close = |code, reason: &str| {
        let reason = reason.to_owned();
        encoded(&Capsule::Close { code, reason })
    };
    let drain = encoded(&Capsule::Drain);
    let data = |content: &[u8]| frame(0, content);
    let bye = close(42, "that is all");
    let mut endless = Vec::new();
    FrameHeader {
        ty: 0x1234,
        len: MAX,
    }
    .encode(&mut endless);
    let mut seeds = vec![
        ("close", data(&bye)),
        ("close_bare", bye.clone()),
        ("close_in_frames", bye.chunks(2).flat_map(data).collect()),
        ("close_without_reason", data(&close(0, ""))),
        ("close_longest", data(&close(u32::MAX, &"r".repeat(1024)))),
        ("close_too_long", data(&close(1, &"r".repeat(1025)))),
        (
            "close_not_utf_8",
            data(&frame(draft::CLOSE_CAPSULE, b"\0\0\0\0\xff")),
        ),
        (
            "close_without_code",
            data(&frame(draft::CLOSE_CAPSULE, b"\0\0\0")),
        ),
        ("close_then_more", data(&[&bye[..], &drain].concat())),
        (
            "close_then_trailers",
            [data(&bye), frame(1, b"\0\0")].concat(),
        ),
        ("drain", data(&drain)),
        ("drain_bare", drain.clone()),
        ("drain_then_close", data(&[&drain[..], &bye].concat())),
        (
            "drain_with_payload",
            data(&frame(draft::DRAIN_CAPSULE, b"later")),
        ),
        ("datagram", data(&frame(0, b"datagram"))),
        ("max_stream_data", data(&frame(0x190b_4d3e, &[4, 4]))),
        ("reserved", data(&frame(0x29 * 7 + 0x17, b"grease"))),
        ("endless", data(&[&endless[..], &[0; 40]].concat())),
        (
            "reserved_frame",
            [frame(0x21, b"grease"), data(&drain)].concat(),
        ),
        ("settings", frame(4, b"")),
        ("truncated", data(&bye[..9])),
    ];
    seeds.extend(flow_control());
    seeds
}

/// Capsules of flow control, some of which are none.
fn flow_control() -> Seeds {
    let data = |content: &[u8]| frame(0, content);
    let (max_data, max_streams) = (
        draft::MAX_DATA_CAPSULE_12,
        draft::MAX_STREAMS_BIDI_CAPSULE_12,
    );
    let all = [
        Capsule::MaxData(MAX),
        Capsule::MaxStreams {
            direction: Direction::Bi,
            max: draft::MOST_STREAMS_12,
        },
        Capsule::MaxStreams {
            direction: Direction::Uni,
            max: 3,
        },
        Capsule::DataBlocked(0),
        Capsule::StreamsBlocked {
            direction: Direction::Bi,
            max: 64,
        },
        Capsule::StreamsBlocked {
            direction: Direction::Uni,
            max: 16_384,
        },
    ];
    let all = all.iter().flat_map(encoded).collect::<Vec<_>>();
    let too_many = varint(draft::MOST_STREAMS_12 + 1);
    vec![
        ("flow_control", data(&all)),
        (
            "flow_control_in_frames",
            all.chunks(3).flat_map(data).collect(),
        ),
        ("max_data", data(&frame(max_data, &varint(65_536)))),
        (
            "max_data_lowered",
            data(&[frame(max_data, &[9]), frame(max_data, &[8])].concat()),
        ),
        ("max_data_of_nothing", data(&frame(max_data, b""))),
        ("max_data_cut_off", data(&frame(max_data, &[0xc0, 0, 0]))),
        ("max_data_then_more", data(&frame(max_data, &[0x40, 9, 0]))),
        (
            "max_data_too_long",
            data(&frame(max_data, &[0xc0, 0, 0, 0, 0, 0, 0, 9, 0])),
        ),
        (
            "max_data_not_the_shortest",
            data(&frame(max_data, &[0xc0, 0, 0, 0, 0, 0, 0, 9])),
        ),
        ("max_streams", data(&frame(max_streams, &varint(100)))),
        ("max_streams_too_many", data(&frame(max_streams, &too_many))),
        (
            "data_blocked",
            data(&frame(draft::DATA_BLOCKED_CAPSULE_12, &varint(65_536))),
        ),
        (
            "streams_blocked_too_many",
            data(&frame(draft::STREAMS_BLOCKED_UNI_CAPSULE_12, &too_many)),
        ),
    ]
}

fn encoded(capsule: &Capsule) -> Vec<u8> {
    let mut content = Vec::new();
    capsule.encode(&mut content);
    content
}

pub(crate) fn stream_headers() -> Seeds {
    let bi = |session| [varint(0x41), varint(session)].concat();
    vec![
        ("uni_session_0", [&uni_header(0)[..], b"content"].concat()),
        ("uni_session_400", uni_header(400)),
        ("uni_session_greatest", uni_header(MAX - 3)),
        ("uni_of_a_servers_stream", uni_header(1)),
        (
            "uni_not_the_shortest",
            vec![0x80, 0, 0, 0x54, 0x40, 4, b'c'],
        ),
        ("uni_truncated", vec![0x40, 0x54, 0xc0, 0, 0]),
        ("bi_session_0", [&bi(0)[..], b"content"].concat()),
        ("bi_session_400", bi(400)),
        ("bi_session_greatest", bi(MAX - 3)),
        ("bi_of_a_uni_stream", bi(2)),
        ("control", [varint(0), frame(4, &chromium())].concat()),
        ("push", [varint(1), varint(0)].concat()),
        ("encoder", vec![2, 0x3f, 0xe1, 0x1f]),
        ("decoder", vec![3, 0x84]),
        (
            "reserved",
            [varint(0x1f * 99 + 0x21), b"grease".to_vec()].concat(),
        ),
        ("headers", frame(1, b"\0\0\xd1\xc1")),
        ("empty", vec![]),
    ]
}
