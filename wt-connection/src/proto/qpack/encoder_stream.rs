use crate::proto::code::QPACK_ENCODER_STREAM_ERROR;
use crate::proto::fault::ConnectionFault;

/// Checks a piece of the peer's encoder stream
/// ([RFC 9204 §4.3](https://www.rfc-editor.org/rfc/rfc9204#section-4.3)) to a table without room:
/// the only instruction that this allows sets its capacity to zero.
///
/// # Errors
///
/// Fails with what the connection has to be closed for.
pub fn check_encoder_stream(bytes: &[u8]) -> Result<(), ConnectionFault> {
    if bytes.iter().all(|byte| *byte == SET_CAPACITY_0) {
        Ok(())
    } else {
        Err(TABLE)
    }
}

const SET_CAPACITY_0: u8 = 0x20;

const TABLE: ConnectionFault = ConnectionFault::new(
    QPACK_ENCODER_STREAM_ERROR,
    "an insertion into a table without room",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_capacity_of_zero_may_be_set() {
        assert_eq!(check_encoder_stream(&[0x20, 0x20]), Ok(()));
        for first in (0..=0xff).filter(|first| *first != SET_CAPACITY_0) {
            assert_eq!(
                check_encoder_stream(&[0x20, first]),
                Err(TABLE),
                "{first:x}"
            );
        }
    }
}
