//! HTTP datagrams ([RFC 9297 §2.1](https://www.rfc-editor.org/rfc/rfc9297#section-2.1)).

use bytes::{BufMut, Bytes, BytesMut};

use crate::proto::code::H3_DATAGRAM_ERROR;
use crate::proto::fault::ConnectionFault;
use crate::proto::varint;

/// Takes the session id off a datagram and leaves what the session sent.
///
/// # Errors
///
/// Fails if the id is cut off, or greater than a stream's can be.
pub fn decode(payload: &mut Bytes) -> Result<u64, ConnectionFault> {
    varint::get(payload)
        .filter(|quarter| *quarter <= varint::MAX / 4)
        .map(|quarter| quarter * 4)
        .ok_or(BAD_ID)
}

/// Counts the bytes that a session's datagrams lose to the session id.
pub const fn prefix_len(session_id: u64) -> usize {
    varint::size(session_id / 4)
}

/// Puts the session id before `payload`, in `room`, which grows for several datagrams at once and
/// is used again once they are gone.
///
/// # Panics
///
/// Panics if `session_id` exceeds what a stream id can be.
pub fn encode(room: &mut BytesMut, session_id: u64, payload: &[u8]) -> Bytes {
    let len = prefix_len(session_id) + payload.len();
    if room.capacity() < len {
        room.reserve(len.max(ROOM));
    }
    varint::put(room, session_id / 4);
    room.put_slice(payload);
    room.split().freeze()
}

/// Allocators are slow with pieces of a packet's size, and with those that another thread frees.
const ROOM: usize = 8 * 1024;

const BAD_ID: ConnectionFault = ConnectionFault::new(H3_DATAGRAM_ERROR, "bad quarter stream id");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn truncated_or_excessive_ids_are_faults() {
        let mut excessive = BytesMut::new();
        varint::put(&mut excessive, varint::MAX / 4 + 1);

        for mut payload in [
            Bytes::new(),
            Bytes::from_static(&[0x40]),
            excessive.freeze(),
        ] {
            let fault = decode(&mut payload).unwrap_err();

            assert_eq!(fault.code, H3_DATAGRAM_ERROR);
        }
    }

    #[test]
    fn datagrams_in_one_room_stay_apart() {
        let mut room = BytesMut::new();

        let kept: Vec<_> = (0..100)
            .map(|n| encode(&mut room, n * 4, &[n as u8; 999]))
            .collect();

        for (n, mut datagram) in (0..).zip(kept) {
            assert_eq!(decode(&mut datagram), Ok(n * 4));
            assert_eq!(datagram, vec![n as u8; 999]);
        }
    }

    #[test]
    fn room_is_used_again_once_its_datagrams_are_gone() {
        let mut room = BytesMut::new();
        drop(encode(&mut room, 0, &[7; 1000]));

        let allocated = allocation_counter::measure(|| {
            for _ in 0..100 {
                drop(encode(&mut room, 0, &[7; 1000]));
            }
        });

        assert!(allocated.count_total < 10, "{allocated:?}");
    }

    proptest! {
        #[test]
        fn datagrams_come_back(quarter in 0..=varint::MAX / 4, payload: Vec<u8>) {
            let mut datagram = encode(&mut BytesMut::new(), quarter * 4, &payload);

            prop_assert_eq!(datagram.len(), prefix_len(quarter * 4) + payload.len());
            prop_assert_eq!(decode(&mut datagram), Ok(quarter * 4));
            prop_assert_eq!(datagram, payload);
        }

        #[test]
        fn whatever_decodes_encodes_again(bytes: Vec<u8>) {
            let mut payload = Bytes::from(bytes);
            if let Ok(id) = decode(&mut payload) {
                let mut again = encode(&mut BytesMut::new(), id, &payload);

                prop_assert_eq!(decode(&mut again), Ok(id));
                prop_assert_eq!(again, payload);
            }
        }
    }
}
