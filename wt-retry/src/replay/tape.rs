use bytes::BytesMut;
use http::HeaderMap;

/// What was read of a body so far, as long as it fits.
///
/// The bytes are copied: a part of a larger buffer would keep all of that.
#[derive(Debug)]
pub(crate) struct Tape {
    data: BytesMut,
    trailers: Trailers,
    limit: usize,
    /// How many bytes have passed.
    passed: usize,
    /// Whether some of them are not kept, or will not be.
    torn: bool,
}

impl Tape {
    /// Keeps at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            data: BytesMut::new(),
            trailers: Trailers::None,
            limit,
            passed: 0,
            torn: false,
        }
    }

    pub(crate) fn record(&mut self, data: &[u8]) {
        self.passed += data.len();
        if data.len() > self.room() {
            self.tear();
        }
        if !self.torn {
            self.data.extend_from_slice(data);
        }
    }

    pub(crate) fn record_trailers(&mut self, trailers: &HeaderMap) {
        let length = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            name.as_str().len() + value.len()
        };
        if trailers.iter().map(length).sum::<usize>() > self.room() {
            self.tear();
        }
        self.trailers = if self.torn {
            Trailers::Lost
        } else {
            Trailers::Kept(trailers.clone())
        };
    }

    /// Forgets everything, since it cannot be sent again as it was.
    pub(crate) fn tear(&mut self) {
        self.torn = true;
        self.data = BytesMut::new();
    }

    pub(crate) fn is_torn(&self) -> bool {
        self.torn
    }

    pub(crate) fn room(&self) -> usize {
        self.limit - self.data.len()
    }

    pub(crate) fn passed(&self) -> usize {
        self.passed
    }

    /// What has passed after the first `position` bytes; `None` if it is not kept.
    pub(crate) fn after(&self, position: usize) -> Option<&[u8]> {
        if position == self.passed {
            return Some(&[]);
        }
        self.data.get(position..).filter(|_| !self.torn)
    }

    pub(crate) fn trailers(&self) -> &Trailers {
        &self.trailers
    }
}

/// The trailers that have passed.
#[derive(Debug, PartialEq)]
pub(crate) enum Trailers {
    None,
    Kept(HeaderMap),
    Lost,
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_fits_is_kept_to_the_byte() {
        let mut tape = Tape::new(5);

        tape.record(b"abc");
        tape.record(b"de");

        assert_eq!(tape.after(0), Some(&b"abcde"[..]));
        assert_eq!(tape.after(3), Some(&b"de"[..]));
        assert_eq!(tape.after(5), Some(&b""[..]));
    }

    #[test]
    fn one_byte_too_many_tears_it() {
        let mut tape = Tape::new(5);

        tape.record(b"abcde");
        tape.record(b"f");
        tape.record(b"");

        assert!(tape.is_torn());
        assert_eq!(tape.after(0), None);
        assert_eq!(tape.after(6), Some(&b""[..]));
    }

    #[test]
    fn trailers_count_too() {
        let mut trailers = HeaderMap::new();
        trailers.insert("name", HeaderValue::from_static("value"));
        let (mut roomy, mut tight) = (Tape::new(9), Tape::new(8));

        roomy.record_trailers(&trailers);
        tight.record_trailers(&trailers);

        assert_eq!(roomy.trailers(), &Trailers::Kept(trailers));
        assert!(tight.is_torn());
        assert_eq!(tight.trailers(), &Trailers::Lost);
    }
}
