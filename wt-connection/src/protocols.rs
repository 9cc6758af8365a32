use std::sync::Arc;

use http::HeaderValue;

use crate::proto::subprotocol;

/// The subprotocols that a client offers for a session, the preferred one first: an extension of
/// the request.
///
/// A subprotocol is a name for what is spoken on the session's streams, "chat.v2" say. The server
/// chooses one or none; [`Session::protocol`](crate::Session::protocol) tells which.
///
/// ```no_run
/// use tower::Service;
/// use wt_connection::{Connection, Protocols};
///
/// # async fn example(mut connection: Connection) -> Result<(), Box<dyn std::error::Error>> {
/// let offer = Protocols::new(["chat.v2", "chat.v1"]);
/// let request = http::Request::get("/chat").extension(offer).body(())?;
/// let session = connection.ready().await?.call(request).await?.into_body();
/// match session.protocol() {
///     Some("chat.v2") => println!("the new one"),
///     Some(_) => println!("the old one"),
///     None => println!("the server knows neither, or nothing of subprotocols"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// They are sent as `WT-Available-Protocols`, in place of one that the request has by hand: as
/// Strings, or, to a server of drafts 07 to 12 that speaks none before them, as Tokens if all names
/// can be. A header by hand alone is sent as it is, and the answer must be among what it offers.
#[derive(Clone, Debug)]
pub struct Protocols {
    names: Arc<[String]>,
}

impl Protocols {
    /// Offers these, the preferred one first.
    ///
    /// # Panics
    ///
    /// Panics if there is no name, or if one is empty, is not printable ASCII, or comes twice.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Arc<[String]> = names.into_iter().map(Into::into).collect();
        assert!(!names.is_empty(), "there is no subprotocol to offer");
        for (index, name) in names.iter().enumerate() {
            let printable = name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            assert!(
                !name.is_empty() && printable,
                "{name:?} names no subprotocol"
            );
            assert!(!names[..index].contains(name), "{name:?} is offered twice");
        }
        Self { names }
    }

    /// The header, of Tokens where the server takes them.
    pub(crate) fn to_header(&self, tokens: bool) -> HeaderValue {
        subprotocol::encode_offer(&self.names, tokens)
            .expect("there are names, all of printable ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::draft;
    use crate::proto::generation::Names;

    #[test]
    fn every_printable_character_may_be_in_a_name() {
        let printable: String = (' '..='~').collect();

        let header = Protocols::new([printable.as_str(), " "]).to_header(true);

        let mut headers = http::HeaderMap::new();
        headers.insert(draft::OFFER_10, header);
        let offered = subprotocol::offer(&headers, Names::Strings);
        assert_eq!(offered.names, [&printable, " "]);
    }

    #[test]
    #[should_panic(expected = "there is no subprotocol to offer")]
    fn nothing_is_no_offer() {
        let _ = Protocols::new([""; 0]);
    }

    #[test]
    #[should_panic(expected = "\"\" names no subprotocol")]
    fn an_empty_name_panics() {
        let _ = Protocols::new(["a", ""]);
    }

    #[test]
    #[should_panic(expected = "\"é\" names no subprotocol")]
    fn a_name_beyond_ascii_panics() {
        let _ = Protocols::new(["é"]);
    }

    #[test]
    #[should_panic(expected = "\"\\u{7f}\" names no subprotocol")]
    fn a_control_character_panics() {
        let _ = Protocols::new(["\x7f"]);
    }

    #[test]
    #[should_panic(expected = "\"a\" is offered twice")]
    fn a_name_twice_panics() {
        let _ = Protocols::new(["a", "b", "a"]);
    }

    #[test]
    #[should_panic(expected = "\"a\" is offered twice")]
    fn a_name_twice_in_a_row_panics() {
        let _ = Protocols::new(["a", "a"]);
    }
}
