use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode, Version, response};

use super::{MessageError, headers};
use crate::proto::qpack::{self, Field};

/// Reads the answer to a CONNECT, which may be interim.
///
/// # Errors
///
/// Fails if the answer does not begin with one `:status` of three digits, or has a header that it
/// may not have.
pub fn decode_response(fields: &[Field<'_>]) -> Result<Response<()>, MessageError> {
    let (pseudo, others) = headers::split(fields);
    let mut response = Response::new(());
    *response.status_mut() = status(pseudo)?;
    *response.version_mut() = Version::HTTP_3;
    *response.headers_mut() = headers::decode(others)?;
    Ok(response)
}

/// Writes the header block of an answer to a CONNECT.
///
/// # Errors
///
/// Fails if the status is 101, or if a header may not be sent over HTTP/3.
pub fn encode_response(response: &response::Parts) -> Result<Bytes, MessageError> {
    check_status(response.status)?;
    let mut fields: Vec<(&[u8], &[u8])> = vec![(b":status", response.status.as_str().as_bytes())];
    headers::encode(&response.headers, &mut fields)?;
    let mut block = BytesMut::with_capacity(128);
    qpack::encode(fields, &mut block);
    Ok(block.freeze())
}

fn status(pseudo: &[Field<'_>]) -> Result<StatusCode, MessageError> {
    let mut status = None;
    for (name, value) in pseudo {
        if &name[..] != b":status" {
            return Err(MessageError::UnknownPseudo);
        }
        if status.replace(value).is_some() {
            return Err(MessageError::Duplicate(":status"));
        }
    }
    let status = status.ok_or(MessageError::Missing(":status"))?;
    let status = StatusCode::from_bytes(status).map_err(|_| MessageError::Invalid(":status"))?;
    check_status(status)?;
    Ok(status)
}

/// Refuses 101, which HTTP/3 does not have
/// ([RFC 9114 §4.5](https://www.rfc-editor.org/rfc/rfc9114#section-4.5)).
fn check_status(status: StatusCode) -> Result<(), MessageError> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        Err(MessageError::Invalid(":status"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode<const N: usize>(fields: [(&str, &str); N]) -> Result<Response<()>, MessageError> {
        decode_response(
            &fields.map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into())),
        )
    }

    fn round_trip(parts: &response::Parts) -> Response<()> {
        let block = encode_response(parts).unwrap();
        decode_response(&qpack::decode(&block, usize::MAX).unwrap()).unwrap()
    }

    #[test]
    fn answer_becomes_a_response() {
        let response = decode([(":status", "429"), ("retry-after", "5")]).unwrap();

        assert_eq!(response.status(), 429);
        assert_eq!(response.version(), Version::HTTP_3);
        assert_eq!(response.headers()["retry-after"], "5");
    }

    #[test]
    fn status_is_three_digits() {
        for status in ["", "20", "2000", "2x0", "099", "101"] {
            let error = decode([(":status", status)]).unwrap_err();

            assert_eq!(error, MessageError::Invalid(":status"));
        }
    }

    #[test]
    fn status_comes_first_and_once() {
        assert_eq!(
            decode([("server", "a")]).unwrap_err(),
            MessageError::Missing(":status")
        );
        assert_eq!(
            decode([("server", "a"), (":status", "200")]).unwrap_err(),
            MessageError::Missing(":status")
        );
        assert_eq!(
            decode([(":status", "200"), ("server", "a"), (":status", "200")]).unwrap_err(),
            MessageError::MisplacedPseudo
        );
        assert_eq!(
            decode([(":status", "200"), (":status", "200")]).unwrap_err(),
            MessageError::Duplicate(":status")
        );
    }

    #[test]
    fn pseudo_headers_of_requests_are_refused() {
        assert_eq!(
            decode([(":status", "200"), (":path", "/")]).unwrap_err(),
            MessageError::UnknownPseudo
        );
    }

    #[test]
    fn headers_of_a_connection_are_not_written() {
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.headers.insert("te", "gzip".parse().unwrap());

        assert_eq!(
            encode_response(&parts),
            Err(MessageError::ConnectionSpecific)
        );
    }

    proptest! {
        #[test]
        fn responses_come_back(status in 102..1000_u16, value in "[!-~]{0,20}") {
            let (mut parts, ()) = Response::new(()).into_parts();
            parts.status = StatusCode::from_u16(status).unwrap();
            parts.headers.insert("server", value.parse().unwrap());

            let response = round_trip(&parts);

            prop_assert_eq!(response.status(), status);
            prop_assert_eq!(response.headers(), &parts.headers);
        }
    }
}
