use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, header};

use crate::origin::Origin;

/// The pages that may open sessions, by the `Origin` that browsers send with each request.
///
/// A browser lets every page ask any server for a session, and leaves it to the server to refuse
/// ([draft 16,
/// §3.2](https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-3.2)). A
/// request without an `Origin` comes from no page, and is always admitted. One with several, or
/// with what is no origin, is admitted by [`any`](Self::any) alone.
///
/// ```
/// use wt_connection::Origins;
///
/// let origins = Origins::list(["https://app.example", "http://localhost:8080"]);
/// let from = |origin| http::Request::get("https://api.example/chat").header("origin", origin);
///
/// assert!(origins.admits(&from("https://app.example").body(())?));
/// assert!(!origins.admits(&from("https://other.example").body(())?));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Origins(Rule);

#[derive(Clone, Debug, Default)]
enum Rule {
    #[default]
    SameAuthority,
    Any,
    List(Arc<[Origin]>),
}

impl Origins {
    /// Admits the pages of the authority that is asked, by the name that the request gives it,
    /// served over HTTPS; the default.
    ///
    /// The name is the client's word. A page whose own name was made to resolve to this server's
    /// address (DNS rebinding) asks by that name, and is admitted: only a [`list`](Self::list)
    /// refuses it. Without a port, either is taken to have 443.
    #[must_use]
    pub fn same_authority() -> Self {
        Self(Rule::SameAuthority)
    }

    /// Admits every page.
    #[must_use]
    pub fn any() -> Self {
        Self(Rule::Any)
    }

    /// Admits the pages of exactly these origins: `scheme://host`, with `:port` unless it is the
    /// scheme's own; or `null`, which every sandboxed page may be.
    ///
    /// The authority that is asked is not among them by itself: that the list says all is what
    /// protects against DNS rebinding.
    ///
    /// # Panics
    ///
    /// Panics if one is no such origin: it has a path, be it `/`, a wildcard, or no scheme.
    #[must_use]
    pub fn list(origins: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let listed = origins.into_iter().map(|origin| {
            let origin = origin.as_ref();
            assert!(
                !origin.contains('*'),
                "{origin:?}: each origin is listed by itself"
            );
            Origin::parse(origin).unwrap_or_else(|| panic!("{origin:?} is no origin"))
        });
        Self(Rule::List(listed.collect()))
    }

    /// Says whether a request, of whatever method, may open a session.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     connection: wt_connection::Connection,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// use wt_connection::Origins;
    ///
    /// let request = connection.accept().await?;
    /// if Origins::same_authority().admits(request.request()) {
    ///     let session = request.accept().await?;
    /// } else {
    ///     request.reject(http::StatusCode::FORBIDDEN).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn admits<T>(&self, request: &Request<T>) -> bool {
        let headers = request.headers();
        match &self.0 {
            _ if !headers.contains_key(header::ORIGIN) => true,
            Rule::Any => true,
            Rule::List(listed) => only_origin(headers).is_some_and(|one| listed.contains(&one)),
            Rule::SameAuthority => {
                let own = request.uri().authority().and_then(Origin::https);
                own.is_some() && own == only_origin(headers)
            }
        }
    }
}

/// The origin in the headers; `None` if there are several, or what is there is none.
fn only_origin(headers: &HeaderMap) -> Option<Origin> {
    let mut values = headers.get_all(header::ORIGIN).iter();
    let only = values.next().filter(|_| values.next().is_none());
    only.map(HeaderValue::to_str)?.ok().and_then(Origin::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request to `uri` with these origins.
    fn request(uri: &str, origins: &[&str]) -> Request<()> {
        let mut request = Request::get(uri).body(()).unwrap();
        for origin in origins {
            let value = HeaderValue::from_bytes(origin.as_bytes()).unwrap();
            request.headers_mut().append(header::ORIGIN, value);
        }
        request
    }

    fn same_authority(uri: &str, origin: &str) -> bool {
        Origins::same_authority().admits(&request(uri, &[origin]))
    }

    #[test]
    fn the_same_authority_is_the_default() {
        let origins = Origins::default();

        assert!(origins.admits(&request("https://a.example/b?c", &["https://a.example"])));
        assert!(!origins.admits(&request("https://a.example/", &["https://b.example"])));
    }

    #[test]
    fn the_same_authority_may_be_written_in_several_ways() {
        for (uri, origin) in [
            ("https://a.example/", "https://a.example:443"),
            ("https://a.example:443/", "https://a.example"),
            ("https://A.Example/", "HTTPS://a.eXample"),
            ("https://a.example:4433/", "https://a.example:4433"),
            ("https://192.0.2.1/", "https://192.0.2.1"),
            ("https://[::1]:4433/", "https://[::1]:4433"),
            ("https://[0::1]/", "https://[::1]"),
        ] {
            assert!(same_authority(uri, origin), "{origin} at {uri}");
        }
    }

    #[test]
    fn another_scheme_host_or_port_is_another_authority() {
        for (uri, origin) in [
            ("https://a.example/", "http://a.example"),
            ("https://a.example/", "http://a.example:443"),
            ("https://a.example/", "https://a.example:4433"),
            ("https://a.example:4433/", "https://a.example"),
            ("https://a.example/", "https://b.a.example"),
            ("https://a.example/", "https://a.example.b.example"),
            ("https://[::1]/", "https://[::2]"),
            ("https://a.example/", "null"),
            ("/without-an-authority", "https://a.example"),
        ] {
            assert!(!same_authority(uri, origin), "{origin} at {uri}");
        }
    }

    #[test]
    fn a_list_says_all() {
        let origins = Origins::list(["https://App.example:443", "http://localhost:8080"]);
        let admits = |origin| origins.admits(&request("https://api.example/", &[origin]));

        assert!(admits("https://app.example"));
        assert!(admits("http://localhost:8080"));
        for other in [
            "https://api.example",
            "http://app.example",
            "https://app.example:8080",
            "http://localhost",
            "null",
        ] {
            assert!(!admits(other), "{other}");
        }
    }

    #[test]
    fn null_is_admitted_where_it_is_listed() {
        let null = request("https://a.example/", &["null"]);

        assert!(Origins::list(["https://a.example", "null"]).admits(&null));
        assert!(Origins::any().admits(&null));
        assert!(!Origins::list(["https://a.example"]).admits(&null));
        assert!(!Origins::same_authority().admits(&null));
    }

    #[test]
    fn what_comes_from_no_page_is_always_admitted() {
        let request = request("https://a.example/", &[]);

        for origins in every_rule() {
            assert!(origins.admits(&request), "{origins:?}");
        }
    }

    #[test]
    fn several_origins_or_none_that_can_be_read_are_admitted_by_any_alone() {
        for origins in [
            &["https://a.example", "https://a.example"][..],
            &["https://a.example", ""],
            &["https://a.example, https://a.example"],
            &["https://a.example https://a.example"],
            &["https://a.example/"],
            &["a.example"],
            &["https://é.example"],
            &[""],
        ] {
            for uri in ["https://a.example/", "/without-an-authority"] {
                let request = request(uri, origins);

                let [same, any, list, none] = every_rule().map(|rule| rule.admits(&request));
                assert!(any && !same && !list && !none, "{origins:?} at {uri}");
            }
        }
    }

    #[test]
    fn an_origin_that_is_none_cannot_be_listed() {
        for wrong in [
            "",
            "a.example",
            "https://a.example/",
            "https://*.example",
            "*",
        ] {
            let listed = std::panic::catch_unwind(|| Origins::list([wrong]));
            assert!(listed.is_err(), "{wrong}");
        }
    }

    fn every_rule() -> [Origins; 4] {
        [
            Origins::same_authority(),
            Origins::any(),
            Origins::list(["https://a.example"]),
            Origins::list([""; 0]),
        ]
    }
}
