//! Keys for the application, of one session
//! ([draft 16,
//! §4.8](https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-4.8)).

/// No keys can be derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyingMaterialError {
    /// The label or the context is longer than 255 bytes.
    #[error("the label or the context is longer than 255 bytes")]
    TooLong,
    /// TLS derives no keys of this length.
    #[error("TLS derives no keys of this length")]
    Length,
}

/// What TLS is to derive keys by, for `label` and `context` of one session's application.
pub(super) fn context(
    session: u64,
    label: &[u8],
    context: &[u8],
) -> Result<Vec<u8>, KeyingMaterialError> {
    let length = |part: &[u8]| u8::try_from(part.len()).map_err(|_| KeyingMaterialError::TooLong);
    let mut bytes = Vec::with_capacity(8 + 2 + label.len() + context.len());
    bytes.extend(session.to_be_bytes());
    for part in [label, context] {
        bytes.push(length(part)?);
        bytes.extend(part);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_names_session_label_and_context() {
        let bytes = context(4, b"label", b"more").unwrap();

        assert_eq!(bytes, b"\0\0\0\0\0\0\0\x04\x05label\x04more");
        assert_eq!(context(0, b"", b"").unwrap(), [0; 10]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = [7; 256];

        assert!(context(0, &long[..255], &long[..255]).is_ok());
        for (label, more) in [(&long[..], &b""[..]), (b"", &long)] {
            assert_eq!(context(0, label, more), Err(KeyingMaterialError::TooLong));
        }
    }
}
