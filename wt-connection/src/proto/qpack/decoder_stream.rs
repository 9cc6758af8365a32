use crate::proto::code::QPACK_DECODER_STREAM_ERROR;
use crate::proto::fault::ConnectionFault;

/// Reads the peer's decoder stream
/// ([RFC 9204 §4.4](https://www.rfc-editor.org/rfc/rfc9204#section-4.4)) to a table without
/// entries: a stream may be cancelled, and there is nothing to acknowledge.
#[derive(Debug, Default)]
pub struct DecoderStream {
    /// How many more bytes the present instruction may have; `None` where one begins.
    room: Option<u8>,
}

impl DecoderStream {
    /// Takes what arrived next.
    ///
    /// # Errors
    ///
    /// Fails with what the connection has to be closed for.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ConnectionFault> {
        for byte in bytes {
            self.room = match self.room {
                None if byte & 0b1100_0000 != STREAM_CANCELLATION => return Err(ACKNOWLEDGED),
                None => (byte & LAST_OF_PREFIX == LAST_OF_PREFIX).then_some(LONGEST_INTEGER),
                Some(0) => return Err(LONG),
                Some(room) => (byte & 0b1000_0000 != 0).then_some(room - 1),
            };
        }
        Ok(())
    }
}

const STREAM_CANCELLATION: u8 = 0b0100_0000;
const LAST_OF_PREFIX: u8 = 0b0011_1111;
/// In bytes, behind the prefix.
const LONGEST_INTEGER: u8 = 9;

const ACKNOWLEDGED: ConnectionFault = ConnectionFault::new(
    QPACK_DECODER_STREAM_ERROR,
    "an acknowledgement of what was not sent",
);
const LONG: ConnectionFault =
    ConnectionFault::new(QPACK_DECODER_STREAM_ERROR, "an integer is too long");

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(), ConnectionFault> {
        let mut stream = DecoderStream::default();
        bytes.chunks(1).try_for_each(|piece| stream.push(piece))
    }

    #[test]
    fn cancellations_are_let_pass_however_long_their_ids() {
        assert_eq!(read(&[]), Ok(()));
        assert_eq!(read(&[0x40, 0x44, 0x7e]), Ok(()));
        assert_eq!(read(&[0x7f, 0x80, 0x80, 0x01, 0x41]), Ok(()));
        assert_eq!(read(&[[0x7f; 1], [0x01; 1]].concat()), Ok(()));
    }

    #[test]
    fn acknowledgements_and_increments_are_faults() {
        for first in (0..=0x3f).chain(0x80..=0xff) {
            assert_eq!(read(&[0x40, first]), Err(ACKNOWLEDGED), "{first:x}");
        }
    }

    #[test]
    fn ids_without_an_end_are_faults() {
        let mut endless = vec![0x7f];
        endless.resize(11, 0x80);

        assert_eq!(read(&endless[..10]), Ok(()));
        assert_eq!(read(&endless), Err(LONG));
    }
}
