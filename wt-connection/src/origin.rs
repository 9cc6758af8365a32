use std::net::Ipv6Addr;

use http::uri::Authority;

/// The origin of a page ([RFC 6454](https://www.rfc-editor.org/rfc/rfc6454)), normalised: equal
/// ones are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// One that a browser keeps to itself, of a file or a sandboxed frame for instance.
    Null,
    /// What a page was loaded from.
    Tuple {
        scheme: String,
        host: String,
        /// `None` where neither the origin nor its scheme says.
        port: Option<u16>,
    },
}

impl Origin {
    /// Reads an origin as browsers write it: `scheme://host[:port]`, or `null`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        let (scheme, authority) = text.split_once("://")?;
        let scheme = is_scheme(scheme).then(|| scheme.to_ascii_lowercase())?;
        Self::new(scheme, &authority.parse().ok()?)
    }

    /// The origin of pages that `authority` serves over HTTPS.
    pub(crate) fn https(authority: &Authority) -> Option<Self> {
        Self::new("https".to_owned(), authority)
    }

    fn new(scheme: String, authority: &Authority) -> Option<Self> {
        let host = authority.host();
        // What is before the host would be user information.
        let port = match authority.as_str().strip_prefix(host)? {
            "" => default_port(&scheme),
            port => Some(parse_port(port.strip_prefix(':')?)?),
        };
        let host = normalise(host)?;
        Some(Self::Tuple { scheme, host, port })
    }
}

/// [RFC 3986 §3.1](https://www.rfc-editor.org/rfc/rfc3986#section-3.1)
fn is_scheme(scheme: &str) -> bool {
    let mark = |byte| matches!(byte, b'+' | b'-' | b'.');
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || mark(byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(valid)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    }
}

/// Digits alone; the standard library takes a sign, too.
fn parse_port(digits: &str) -> Option<u16> {
    let port = digits.parse().ok()?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(port)
}

/// In lower case, and with an address of IPv6 as short as it can be.
fn normalise(host: &str) -> Option<String> {
    if let Some(literal) = host.strip_prefix('[') {
        let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tuple(scheme: &str, host: &str, port: impl Into<Option<u16>>) -> Option<Origin> {
        Some(Origin::Tuple {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port: port.into(),
        })
    }

    #[test]
    fn scheme_host_and_port_are_read() {
        for (text, expected) in [
            ("https://a.example", tuple("https", "a.example", 443)),
            ("http://a.example", tuple("http", "a.example", 80)),
            ("http://localhost:8080", tuple("http", "localhost", 8080)),
            ("https://192.0.2.1:1", tuple("https", "192.0.2.1", 1)),
            (
                "https://[2001:db8::1]",
                tuple("https", "[2001:db8::1]", 443),
            ),
            ("https://[::1]:65535", tuple("https", "[::1]", 65535)),
            (
                "chrome-extension://abc",
                tuple("chrome-extension", "abc", None),
            ),
            ("null", Some(Origin::Null)),
        ] {
            assert_eq!(Origin::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_the_same_is_equal() {
        for (one, other) in [
            ("HTTPS://A.Example", "https://a.example"),
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("https://[::1]", "https://[0:0:0:0:0:0:0:1]:443"),
            ("https://[2001:DB8::A]", "https://[2001:db8::a]"),
        ] {
            assert_eq!(Origin::parse(one), Origin::parse(other));
            assert!(Origin::parse(one).is_some(), "{one}");
        }
    }

    #[test]
    fn what_is_not_the_same_differs() {
        let all = [
            "https://a.example",
            "http://a.example",
            "http://a.example:443",
            "https://a.example:80",
            "https://a.example:8443",
            "https://b.a.example",
            "https://a.example.",
            "https://[::1]",
            "null",
        ];
        for (index, one) in all.iter().enumerate() {
            for other in &all[..index] {
                assert_ne!(Origin::parse(one), Origin::parse(other));
            }
        }
    }

    #[test]
    fn anything_else_is_no_origin() {
        for text in [
            "",
            "NULL",
            "a.example",
            "//a.example",
            "://a.example",
            "1a://a.example",
            "a b://a.example",
            "https:a.example",
            "https://",
            "https://:443",
            "https://a.example/",
            "https://a.example?b",
            "https://a.example#b",
            "https://a.example:",
            "https://a.example:+1",
            "https://a.example:65536",
            "https://a.example:x",
            "https://user@a.example",
            "https://user:pass@a.example",
            "https://a.example@a.example",
            "https://a.example:1@a.example",
            "https://a.example https://b.example",
            "https://a.example, https://b.example",
            "https://[::1",
            "https://[a.example]",
            "https://[::1]x",
            "https://::1",
            " https://a.example",
            "https://é.example",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(https?|null|x)?(:?//)?[-a:@/.%\\[\\]1é ]{0,12}") {
            if let Some(Origin::Tuple { scheme, host, port }) = Origin::parse(&text) {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                let normal = format!("{scheme}://{host}{port}");
                prop_assert_eq!(Origin::parse(&normal), Origin::parse(&text));
            }
        }
    }
}
