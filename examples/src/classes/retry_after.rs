use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, header};
use wt_retry::Verdict;

/// How long a server asks to wait, by `Retry-After`: seconds or a date
/// ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
///
/// No time at all if the date is past; `None` without the header, or if it is neither.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than there are is as long as can be.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

/// Another attempt, after as long as the server says if it does.
pub(crate) fn told(headers: &HeaderMap, now: SystemTime) -> Verdict {
    retry_after(headers, now).map_or(Verdict::Retry, Verdict::RetryAfter)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// 6 November 1994, 08:49:37.
    const NOW: Duration = Duration::from_secs(784_111_777);

    fn parsed(value: &'static [u8]) -> Option<Duration> {
        let value = HeaderValue::from_bytes(value).unwrap();
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value)]);
        retry_after(&headers, SystemTime::UNIX_EPOCH + NOW)
    }

    #[test]
    fn seconds_are_so_many() {
        assert_eq!(parsed(b"0"), Some(Duration::ZERO));
        assert_eq!(parsed(b" 120 "), Some(Duration::from_secs(120)));
    }

    #[test]
    fn more_seconds_than_there_are_is_as_long_as_can_be() {
        let longest = Some(Duration::from_secs(u64::MAX));

        assert_eq!(parsed(b"18446744073709551615"), longest);
        assert_eq!(parsed(b"99999999999999999999999999"), longest);
    }

    #[test]
    fn a_date_is_that_far_away() {
        let minute = Some(Duration::from_secs(60));

        assert_eq!(parsed(b"Sun, 06 Nov 1994 08:50:37 GMT"), minute);
        assert_eq!(parsed(b"Sunday, 06-Nov-94 08:50:37 GMT"), minute);
        assert_eq!(parsed(b"Sun Nov  6 08:50:37 1994"), minute);
    }

    #[test]
    fn a_date_that_is_past_is_now() {
        assert_eq!(
            parsed(b"Sun, 06 Nov 1994 08:49:36 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(
            parsed(b"Thu, 01 Jan 1970 00:00:00 GMT"),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn a_date_far_away_is_far_away() {
        let wait = parsed(b"Fri, 31 Dec 9999 23:59:59 GMT").unwrap();

        assert!(wait > Duration::from_secs(8000 * 365 * 24 * 60 * 60));
    }

    #[test]
    fn anything_else_says_nothing() {
        for value in [
            &b""[..],
            b"soon",
            b"-1",
            b"1.5",
            b"+3",
            b"\xff",
            b"Sun, 06 Nov 1994",
        ] {
            assert_eq!(parsed(value), None);
        }
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::now()), None);
    }
}
