//! The static table ([RFC 9204 appendix A](https://www.rfc-editor.org/rfc/rfc9204#appendix-A)).

/// How much of a field the table has, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The field.
    Field(usize),
    /// Its name only.
    Name(usize),
}

/// Looks up the field with an index.
pub(super) fn get(index: u64) -> Option<(&'static [u8], &'static [u8])> {
    let index = usize::try_from(index).ok()?;
    let (name, value) = TABLE.get(index)?;
    Some((name.as_bytes(), value.as_bytes()))
}

/// Looks for a field, or else for its name.
pub(super) fn find(name: &[u8], value: &[u8]) -> Option<Entry> {
    let mut found = None;
    for index in of_length(name.len()).iter().copied().map(usize::from) {
        let entry = TABLE[index];
        if entry.0.as_bytes() != name {
            continue;
        }
        if entry.1.as_bytes() == value {
            return Some(Entry::Field(index));
        }
        found = found.or(Some(Entry::Name(index)));
    }
    found
}

/// The entries whose names are so long: few for each length.
fn of_length(len: usize) -> &'static [u8] {
    let ends = &BY_LENGTH.ends;
    match len {
        1..=LONGEST => &BY_LENGTH.order[ends[len - 1]..ends[len]],
        _ => &[],
    }
}

/// The table in the order of its names' lengths.
struct ByLength {
    order: [u8; TABLE.len()],
    /// Where each length ends.
    ends: [usize; LONGEST + 1],
}

impl ByLength {
    const fn new() -> Self {
        let mut order = [0; TABLE.len()];
        let mut ends = [0; LONGEST + 1];
        let mut filled = 0;
        let mut len = 0;
        while len <= LONGEST {
            let mut index = 0;
            while index < TABLE.len() {
                if TABLE[index].0.len() == len {
                    order[filled] = index as u8;
                    filled += 1;
                }
                index += 1;
            }
            ends[len] = filled;
            len += 1;
        }
        Self { order, ends }
    }
}

static BY_LENGTH: ByLength = ByLength::new();

/// The length of `access-control-request-headers` and of the like.
const LONGEST: usize = 32;

const TABLE: [(&str, &str); 99] = [
    (":authority", ""),
    (":path", "/"),
    ("age", "0"),
    ("content-disposition", ""),
    ("content-length", "0"),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("referer", ""),
    ("set-cookie", ""),
    (":method", "CONNECT"),
    (":method", "DELETE"),
    (":method", "GET"),
    (":method", "HEAD"),
    (":method", "OPTIONS"),
    (":method", "POST"),
    (":method", "PUT"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "103"),
    (":status", "200"),
    (":status", "304"),
    (":status", "404"),
    (":status", "503"),
    ("accept", "*/*"),
    ("accept", "application/dns-message"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-ranges", "bytes"),
    ("access-control-allow-headers", "cache-control"),
    ("access-control-allow-headers", "content-type"),
    ("access-control-allow-origin", "*"),
    ("cache-control", "max-age=0"),
    ("cache-control", "max-age=2592000"),
    ("cache-control", "max-age=604800"),
    ("cache-control", "no-cache"),
    ("cache-control", "no-store"),
    ("cache-control", "public, max-age=31536000"),
    ("content-encoding", "br"),
    ("content-encoding", "gzip"),
    ("content-type", "application/dns-message"),
    ("content-type", "application/javascript"),
    ("content-type", "application/json"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "image/gif"),
    ("content-type", "image/jpeg"),
    ("content-type", "image/png"),
    ("content-type", "text/css"),
    ("content-type", "text/html; charset=utf-8"),
    ("content-type", "text/plain"),
    ("content-type", "text/plain;charset=utf-8"),
    ("range", "bytes=0-"),
    ("strict-transport-security", "max-age=31536000"),
    (
        "strict-transport-security",
        "max-age=31536000; includesubdomains",
    ),
    (
        "strict-transport-security",
        "max-age=31536000; includesubdomains; preload",
    ),
    ("vary", "accept-encoding"),
    ("vary", "origin"),
    ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "1; mode=block"),
    (":status", "100"),
    (":status", "204"),
    (":status", "206"),
    (":status", "302"),
    (":status", "400"),
    (":status", "403"),
    (":status", "421"),
    (":status", "425"),
    (":status", "500"),
    ("accept-language", ""),
    ("access-control-allow-credentials", "FALSE"),
    ("access-control-allow-credentials", "TRUE"),
    ("access-control-allow-headers", "*"),
    ("access-control-allow-methods", "get"),
    ("access-control-allow-methods", "get, post, options"),
    ("access-control-allow-methods", "options"),
    ("access-control-expose-headers", "content-length"),
    ("access-control-request-headers", "content-type"),
    ("access-control-request-method", "get"),
    ("access-control-request-method", "post"),
    ("alt-svc", "clear"),
    ("authorization", ""),
    (
        "content-security-policy",
        "script-src 'none'; object-src 'none'; base-uri 'none'",
    ),
    ("early-data", "1"),
    ("expect-ct", ""),
    ("forwarded", ""),
    ("if-range", ""),
    ("origin", ""),
    ("purpose", "prefetch"),
    ("server", ""),
    ("timing-allow-origin", "*"),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", ""),
    ("x-forwarded-for", ""),
    ("x-frame-options", "deny"),
    ("x-frame-options", "sameorigin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_where_the_rfc_has_them() {
        for (index, name, value) in [
            (0, ":authority", ""),
            (1, ":path", "/"),
            (15, ":method", "CONNECT"),
            (17, ":method", "GET"),
            (24, ":status", "103"),
            (25, ":status", "200"),
            (27, ":status", "404"),
            (31, "accept-encoding", "gzip, deflate, br"),
            (46, "content-type", "application/json"),
            (62, "x-xss-protection", "1; mode=block"),
            (63, ":status", "100"),
            (71, ":status", "500"),
            (83, "alt-svc", "clear"),
            (90, "origin", ""),
            (98, "x-frame-options", "sameorigin"),
        ] {
            assert_eq!(get(index), Some((name.as_bytes(), value.as_bytes())));
        }
        assert_eq!(get(99), None);
        assert_eq!(get(u64::MAX), None);
    }

    #[test]
    fn every_entry_is_found() {
        for (index, (name, value)) in TABLE.iter().enumerate() {
            let entry = find(name.as_bytes(), value.as_bytes());

            assert_eq!(entry, Some(Entry::Field(index)));
        }
    }

    #[test]
    fn names_of_every_length_are_looked_for() {
        let longest = TABLE.iter().map(|(name, _)| name.len()).max();

        assert_eq!(longest, Some(LONGEST));
        for len in [0, 1, LONGEST + 1, 1000] {
            assert_eq!(find(&b"x".repeat(len), b""), None);
        }
    }

    #[test]
    fn first_entry_stands_for_its_name() {
        assert_eq!(find(b":status", b"418"), Some(Entry::Name(24)));
        assert_eq!(find(b":protocol", b"webtransport"), None);
    }
}
