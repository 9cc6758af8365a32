use wt_connection_fuzz::{answer, request};

use crate::Seeds;
use crate::program::{
    ACCEPT, BI, SLEEP, UNI, capsule, close, datagram, finish, framed, program, read, write,
};

/// Programs of a server, by steps: for a client that opens sessions, and for one that asks.
pub(crate) fn servers() -> Seeds {
    // With a control stream as stream 0, and what was answered as stream 1.
    [sessions(), streams(), ends(), answers(), narrow()].concat()
}

fn sessions() -> Seeds {
    vec![
        ("nothing", program(0, &[])),
        ("nothing_asked", program(1, &[])),
        ("no_control", program(2, &[SLEEP])),
        (
            "second_session",
            program(0, &[SLEEP, ACCEPT, &[0xc2, 0x28], SLEEP]),
        ),
        (
            "rejected",
            program(
                4,
                &[
                    ACCEPT,
                    SLEEP,
                    ACCEPT,
                    &write(1, &answer("404")),
                    &finish(1),
                    SLEEP,
                ],
            ),
        ),
        (
            "interim",
            program(
                4,
                &[
                    SLEEP,
                    ACCEPT,
                    &write(1, &answer("103")),
                    &write(1, &answer("200")),
                    SLEEP,
                ],
            ),
        ),
    ]
}

fn streams() -> Seeds {
    vec![
        (
            "bi",
            program(
                0,
                &[
                    SLEEP,
                    BI,
                    &write(2, b"\x40\x41\x00hello"),
                    &finish(2),
                    SLEEP,
                    &read(2),
                ],
            ),
        ),
        (
            "uni",
            program(
                0,
                &[UNI, &write(2, b"\x40\x54\x00hello"), &finish(2), SLEEP],
            ),
        ),
        (
            "uni_early",
            program(
                4,
                &[
                    UNI,
                    &write(1, b"\x40\x54\x00hello"),
                    &datagram(0, b"hello"),
                    SLEEP,
                    ACCEPT,
                    &write(2, &answer("200")),
                    SLEEP,
                ],
            ),
        ),
        (
            "datagrams",
            program(0, &[SLEEP, &datagram(0, b"hello"), SLEEP]),
        ),
        (
            "push_stream",
            program(0, &[UNI, &write(2, b"\x01\x00"), SLEEP]),
        ),
        (
            "request_of_a_server",
            program(0, &[BI, &write(2, &request("GET", "/")), SLEEP]),
        ),
    ]
}

fn ends() -> Seeds {
    vec![
        (
            "close_capsule",
            program(0, &[SLEEP, &capsule(1, &close(7, "over")), SLEEP]),
        ),
        (
            "drain_capsule",
            program(0, &[SLEEP, &[0xb1, 0x41, 0], SLEEP]),
        ),
        ("end", program(0, &[SLEEP, &finish(1), SLEEP])),
        ("reset", program(0, &[SLEEP, &[0x51, 0x0c], SLEEP])),
        ("stop", program(0, &[SLEEP, &[0x61, 0x0c], SLEEP])),
        (
            "goaway",
            program(
                0,
                &[
                    SLEEP,
                    &framed(0, 7, b"\x04"),
                    SLEEP,
                    &framed(0, 7, b"\x00"),
                    SLEEP,
                ],
            ),
        ),
        (
            "goaway_grows",
            program(1, &[&framed(0, 7, b"\x00"), &framed(0, 7, b"\x04"), SLEEP]),
        ),
        ("control_ends", program(0, &[&finish(0), SLEEP])),
        (
            "qpack_streams",
            program(
                1,
                &[
                    UNI,
                    &write(2, b"\x02\x3f\xe1\x1f"),
                    UNI,
                    &write(3, b"\x03\x84"),
                    SLEEP,
                ],
            ),
        ),
        ("closed", program(0, &[SLEEP, &[0xf0, 0x00]])),
    ]
}

fn answers() -> Seeds {
    vec![
        (
            "answered",
            program(
                1,
                &[
                    SLEEP,
                    &framed(1, 0, b"hello"),
                    &finish(1),
                    SLEEP,
                    ACCEPT,
                    &[0xc2, 0x28],
                    &finish(2),
                    SLEEP,
                ],
            ),
        ),
        (
            "answered_with_trailers",
            program(
                1,
                &[
                    &framed(1, 0, b"hello"),
                    &framed(1, 1, b"\0\0\x22ab\x01c"),
                    &finish(1),
                    SLEEP,
                ],
            ),
        ),
        (
            "answer_cut_off",
            program(1, &[&write(1, b"\x00\x40\x40hello"), &finish(1), SLEEP]),
        ),
        (
            "answer_malformed",
            program(5, &[SLEEP, ACCEPT, &framed(1, 1, b"\0\0\xd1"), SLEEP]),
        ),
        (
            "answer_dynamic",
            program(5, &[SLEEP, ACCEPT, &framed(1, 1, b"\x02\0\x80"), SLEEP]),
        ),
        (
            "push_promise",
            program(1, &[&framed(1, 5, b"\0\0\0"), SLEEP]),
        ),
    ]
}

/// Servers that have room for next to nothing of what is sent to them.
fn narrow() -> Seeds {
    vec![
        ("narrow", program(8, &[SLEEP, &read(1), SLEEP])),
        (
            "narrow_session",
            program(8, &[SLEEP, &read(1), &read(1), &read(1), ACCEPT, SLEEP]),
        ),
        (
            "narrow_close",
            program(8, &[SLEEP, &capsule(1, &close(7, "over")), SLEEP]),
        ),
        ("narrow_end", program(8, &[SLEEP, &finish(1), SLEEP])),
        (
            "narrow_asked",
            program(
                9,
                &[
                    SLEEP,
                    &framed(1, 0, b"hello"),
                    &read(1),
                    SLEEP,
                    ACCEPT,
                    &finish(1),
                    SLEEP,
                ],
            ),
        ),
        ("narrow_unanswered", program(12, &[SLEEP, SLEEP])),
    ]
}
