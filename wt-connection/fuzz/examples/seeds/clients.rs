use wt_connection_fuzz::{connect, request, uni_header};

use crate::Seeds;
use crate::program::{
    ACCEPT, BI, SLEEP, UNI, bytes, capsule, close, datagram, finish, framed, program, read, write,
};

/// Programs of a client, by steps; each is there for both ways to serve.
pub(crate) fn clients() -> Seeds {
    // With a control stream as stream 0, and a session as stream 1.
    [
        ends(),
        streams(),
        late_streams(),
        early(),
        sessions(),
        gets(),
        posts(),
        critical_streams(),
        narrow(),
    ]
    .concat()
}

fn ends() -> Seeds {
    vec![
        ("nothing", program(0, &[])),
        ("nothing_by_hand", program(1, &[])),
        ("end_at_once", program(1, &[&finish(1)])),
        ("end", program(0, &[SLEEP, &finish(1), SLEEP])),
        ("reset", program(0, &[SLEEP, &[0x51, 0x0c], SLEEP])),
        ("stop", program(1, &[SLEEP, &[0x61, 0x0c], SLEEP])),
        (
            "close_capsule",
            program(
                0,
                &[
                    BI,
                    &write(2, b"\x40\x41\x00hello"),
                    &capsule(1, &close(7, "over")),
                    SLEEP,
                ],
            ),
        ),
        (
            "close_capsule_then_more",
            program(
                1,
                &[&capsule(1, &close(7, "over")), &capsule(1, b"\x00"), SLEEP],
            ),
        ),
        ("drain_capsule", program(0, &[&[0xb1, 0x41, 0], SLEEP])),
        ("closed", program(0, &[SLEEP, &[0xf0, 0x00]])),
    ]
}

fn streams() -> Seeds {
    vec![
        (
            "bi",
            program(
                0,
                &[
                    BI,
                    &write(2, b"\x40\x41\x00hello"),
                    &finish(2),
                    SLEEP,
                    &read(1),
                ],
            ),
        ),
        (
            "bi_by_hand",
            program(
                1,
                &[
                    BI,
                    &write(2, b"\x40\x41\x00hello"),
                    &finish(2),
                    SLEEP,
                    &read(1),
                ],
            ),
        ),
        (
            "uni",
            program(
                0,
                &[
                    UNI,
                    &write(2, &[&uni_header(0)[..], b"hello"].concat()),
                    &finish(2),
                    SLEEP,
                    ACCEPT,
                    &read(1),
                ],
            ),
        ),
    ]
}

/// Streams that say late, or wrongly, what they are, and a long one.
fn late_streams() -> Seeds {
    vec![
        (
            "headers_long",
            program(
                4,
                &[
                    BI,
                    &write(1, b"\x01\x80\x01\x00\x00"),
                    SLEEP,
                    BI,
                    &write(2, b"\x01\x40\x10"),
                    SLEEP,
                ],
            ),
        ),
        (
            "uni_slow",
            program(
                1,
                &[
                    UNI,
                    &write(2, b"\x40"),
                    SLEEP,
                    &write(2, b"\x54"),
                    SLEEP,
                    &write(2, b"\x00hello"),
                ],
            ),
        ),
        (
            "large",
            program(
                1,
                &[
                    BI,
                    &write(2, b"\x40\x41\x00"),
                    &[0xe2, 0xff, 7],
                    &[0xe2, 0xff, 8],
                    &finish(2),
                    SLEEP,
                    &read(1),
                    SLEEP,
                ],
            ),
        ),
        (
            "reserved_stream",
            program(0, &[UNI, &write(2, b"\x21grease"), SLEEP]),
        ),
        (
            "session_of_a_uni_stream",
            program(0, &[BI, &write(2, b"\x40\x41\x02"), SLEEP]),
        ),
    ]
}

/// Datagrams, and what comes before its session.
fn early() -> Seeds {
    vec![
        (
            "datagrams",
            program(
                1,
                &[SLEEP, &datagram(0, b"hello"), &datagram(0, b"again"), SLEEP],
            ),
        ),
        (
            "datagram_of_no_session",
            program(0, &[&datagram(4, b"hello"), &bytes(0x70, b"\xc0")]),
        ),
        (
            "early_streams",
            program(
                4,
                &[
                    BI,
                    BI,
                    &write(2, b"\x40\x41\x00hello"),
                    UNI,
                    &write(3, b"\x40\x54\x00hello"),
                    SLEEP,
                    &write(1, &connect("/")),
                    SLEEP,
                ],
            ),
        ),
        (
            "early_too_many",
            program(
                5,
                &[
                    BI,
                    BI,
                    &write(2, b"\x40\x41\x00"),
                    BI,
                    &write(3, b"\x40\x41\x00"),
                    BI,
                    &write(4, b"\x40\x41\x00"),
                    BI,
                    &write(5, b"\x40\x41\x00"),
                    SLEEP,
                ],
            ),
        ),
    ]
}

fn sessions() -> Seeds {
    vec![
        (
            "sessions",
            program(
                1,
                &[
                    BI,
                    &[0xc2, 1],
                    BI,
                    &[0xc3, 2],
                    BI,
                    &[0xc4, 3],
                    SLEEP,
                    BI,
                    &[0xc5, 4],
                    BI,
                    &[0xc6, 5],
                    SLEEP,
                ],
            ),
        ),
        (
            "sessions_of_a_service",
            program(
                0,
                &[
                    BI,
                    &[0xc2, 1],
                    BI,
                    &[0xc3, 3],
                    SLEEP,
                    BI,
                    &[0xc4, 4],
                    BI,
                    &[0xc5, 5],
                    SLEEP,
                ],
            ),
        ),
    ]
}

fn gets() -> Seeds {
    vec![
        (
            "get",
            program(
                4,
                &[
                    BI,
                    &write(1, &request("GET", "/large")),
                    &finish(1),
                    SLEEP,
                    &read(1),
                ],
            ),
        ),
        (
            "get_by_hand",
            program(5, &[BI, &write(1, &request("GET", "/")), &finish(1), SLEEP]),
        ),
        (
            "get_many",
            program(
                4,
                &[
                    BI,
                    &[0xc1, 8],
                    BI,
                    &[0xc2, 8],
                    BI,
                    &[0xc3, 0x18],
                    &finish(1),
                    &finish(3),
                    SLEEP,
                ],
            ),
        ),
        ("tunnel", program(4, &[BI, &[0xc1, 0x20], SLEEP])),
        ("no_control", program(6, &[BI, &[0xc0, 8], SLEEP])),
    ]
}

fn posts() -> Seeds {
    vec![
        (
            "post",
            program(
                4,
                &[
                    BI,
                    &write(1, &request("POST", "/")),
                    &framed(1, 0, b"hello"),
                    &framed(1, 0, b""),
                    &framed(1, 0x21, b"grease"),
                    &framed(1, 1, b"\0\0\x22ab\x01c"),
                    &finish(1),
                    SLEEP,
                    &read(1),
                ],
            ),
        ),
        (
            "post_reset",
            program(
                4,
                &[
                    BI,
                    &write(1, &request("POST", "/")),
                    &framed(1, 0, b"hello"),
                    SLEEP,
                    &[0x51, 0x0c],
                    SLEEP,
                ],
            ),
        ),
        (
            "post_cut_off",
            program(
                4,
                &[
                    BI,
                    &write(1, &request("POST", "/")),
                    &write(1, b"\x00\x40\x40hello"),
                    &finish(1),
                    SLEEP,
                ],
            ),
        ),
    ]
}

fn critical_streams() -> Seeds {
    vec![
        (
            "control_twice",
            program(0, &[UNI, &write(2, b"\x00\x04\x00"), SLEEP]),
        ),
        ("control_ends", program(1, &[&finish(0), SLEEP])),
        ("goaway", program(0, &[&framed(0, 7, b"\x00"), SLEEP])),
        (
            "max_push_id",
            program(
                0,
                &[&framed(0, 0x0d, b"\x04"), &framed(0, 0x0d, b"\x01"), SLEEP],
            ),
        ),
        (
            "qpack_streams",
            program(
                0,
                &[
                    UNI,
                    &write(2, b"\x02\x3f\xe1\x1f"),
                    UNI,
                    &write(3, b"\x03\x84"),
                    SLEEP,
                ],
            ),
        ),
        (
            "push_stream",
            program(1, &[UNI, &write(2, b"\x01\x00"), SLEEP]),
        ),
    ]
}

/// Clients that have room for next to nothing of what is sent to them.
fn narrow() -> Seeds {
    vec![
        ("narrow", program(8, &[SLEEP, &read(1), SLEEP])),
        (
            "narrow_by_hand",
            program(9, &[SLEEP, &read(1), SLEEP, &finish(1), SLEEP]),
        ),
        (
            "narrow_drain",
            program(
                8,
                &[
                    BI,
                    &[0xc2, 2],
                    SLEEP,
                    &capsule(2, &close(7, "over")),
                    &finish(2),
                    SLEEP,
                ],
            ),
        ),
        ("narrow_open", program(9, &[BI, &[0xc2, 3], SLEEP, ACCEPT])),
        (
            "narrow_get",
            program(
                12,
                &[
                    BI,
                    &write(1, &request("GET", "/large")),
                    &finish(1),
                    SLEEP,
                    &read(1),
                    SLEEP,
                    &[0x61, 0x0c],
                ],
            ),
        ),
        (
            "narrow_echo",
            program(
                8,
                &[
                    BI,
                    &write(2, b"\x40\x41\x00"),
                    &[0xe2, 2, 7],
                    &finish(2),
                    SLEEP,
                    &read(1),
                    SLEEP,
                ],
            ),
        ),
    ]
}
