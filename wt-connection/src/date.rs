use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use http::header::{self, HeaderMap};

/// Says when a response was made, unless it says so itself
/// ([RFC 9110 §6.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1)).
pub(crate) fn set(headers: &mut HeaderMap) {
    if let header::Entry::Vacant(date) = headers.entry(header::DATE) {
        date.insert(now());
    }
}

/// The time, written anew once a second.
fn now() -> HeaderValue {
    let now = SystemTime::now();
    let second = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    WRITTEN.with_borrow_mut(|written| match written {
        Some((at, date)) if *at == second => date.clone(),
        _ => {
            let date = HeaderValue::try_from(httpdate::fmt_http_date(now)).expect(ASCII);
            *written = Some((second, date.clone()));
            date
        }
    })
}

thread_local! {
    static WRITTEN: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

const ASCII: &str = "a date is of visible ASCII";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_one_date() {
        let mut headers = HeaderMap::new();
        set(&mut headers);
        let date = headers[header::DATE].to_str().unwrap().to_owned();
        set(&mut headers);

        assert_eq!(headers.len(), 1);
        let read = httpdate::parse_http_date(&date).unwrap();
        let age = SystemTime::now().duration_since(read).unwrap();
        assert!(age.as_secs() < 60, "{date}");
    }

    #[test]
    fn a_date_that_is_there_stays() {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, HeaderValue::from_static("then"));

        set(&mut headers);

        assert_eq!(headers[header::DATE], "then");
    }
}
