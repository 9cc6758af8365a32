//! How client and server agree on what is spoken in a session
//! ([draft 16,
//! §3.3](https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-3.3)).
//!
//! Names are written as Strings. Drafts 10 to 12 had them as Tokens: servers that speak nothing else
//! are offered these, by the rules of old generations they are read, too, and who offers Tokens is
//! answered with one. Any other type, or a fault of syntax, makes the whole field as good as absent.
//! Parameters mean nothing.

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::visitor::{EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, Never};
use sfv::{BareItemFromInput, ItemSerializer, ListSerializer, Parser, StringRef, TokenRef};

use crate::proto::draft;
use crate::proto::generation::Names;

/// What a request offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The preferred one first.
    pub names: Vec<String>,
    /// Some of them are Tokens.
    pub tokens: bool,
}

/// Reads what a request offers; nothing if that is malformed.
///
/// What is kept grows with the header alone.
pub fn offer(headers: &HeaderMap, types: Names) -> Offer {
    let field = joined(headers, &draft::OFFER_10);
    let offer = Parser::new(&field).parse_list_with_visitor(Members {
        types,
        offer: Offer::default(),
    });
    offer.unwrap_or_default()
}

/// Reads what an answer chooses; nothing if that is malformed.
pub fn choice(headers: &HeaderMap, types: Names) -> Option<String> {
    let field = joined(headers, &draft::CHOICE_10);
    let item = Parser::new(&field).parse_item::<BareItemFromInput<'_>>();
    name(item.ok()?, types).ok().map(|(name, _)| name)
}

/// Writes an offer, as Tokens if it is to be of these and all names can be; `None` if there is no
/// name in it, or one that is not printable ASCII.
pub fn encode_offer(names: &[String], tokens: bool) -> Option<HeaderValue> {
    let tokens = tokens && names.iter().all(|name| TokenRef::from_str(name).is_ok());
    let mut list = ListSerializer::new();
    for name in names {
        let _ = match tokens {
            true => list.bare_item(TokenRef::from_str(name).ok()?),
            false => list.bare_item(StringRef::from_str(name).ok()?),
        };
    }
    HeaderValue::try_from(list.finish()?).ok()
}

/// Writes a choice, as a Token if it is to be one; `None` if it is not printable ASCII.
pub fn encode_choice(name: &str, token: bool) -> Option<HeaderValue> {
    let item = ItemSerializer::new();
    let item = match TokenRef::from_str(name) {
        Ok(name) if token => item.bare_item(name),
        _ => item.bare_item(StringRef::from_str(name).ok()?),
    };
    HeaderValue::try_from(item.finish()).ok()
}

/// Chooses the first of the server's names that the client offers.
pub fn choose<N>(supported: impl IntoIterator<Item = N>, offered: &[String]) -> Option<String>
where
    N: AsRef<str>,
{
    supported.into_iter().find_map(|name| {
        let found = offered.iter().find(|offered| *offered == name.as_ref());
        found.cloned()
    })
}

/// Puts what a server has `chosen` into the headers of its answer, in place of a choice that is
/// there by hand, and gives the choice that the answer then makes.
///
/// # Errors
///
/// Fails if the answer chooses what was not offered, or cannot be read.
pub fn answer(
    headers: &mut HeaderMap,
    chosen: Option<&str>,
    offered: &Offer,
    types: Names,
) -> Result<Option<String>, NotOffered> {
    if let Some(chosen) = chosen {
        let value = encode_choice(chosen, offered.tokens).ok_or(NotOffered)?;
        headers.insert(draft::CHOICE_10, value);
    }
    if !headers.contains_key(draft::CHOICE_10) {
        return Ok(None);
    }
    let choice = choice(headers, types).filter(|choice| offered.names.contains(choice));
    choice.map(Some).ok_or(NotOffered)
}

/// What was chosen is not among what was offered.
#[derive(Debug, PartialEq, Eq)]
pub struct NotOffered;

/// One value of all the lines of a field
/// ([RFC 9110 §5.3](https://www.rfc-editor.org/rfc/rfc9110#section-5.3)).
fn joined(headers: &HeaderMap, field: &HeaderName) -> Vec<u8> {
    let lines: Vec<_> = headers
        .get_all(field)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    lines.join(&b", "[..])
}

/// The name, and whether it is a Token.
fn name(item: BareItemFromInput<'_>, types: Names) -> Result<(String, bool), WrongType> {
    match item {
        BareItemFromInput::String(name) => Ok((name.as_str().to_owned(), false)),
        BareItemFromInput::Token(name) if types == Names::Either => {
            Ok((name.as_str().to_owned(), true))
        }
        _ => Err(WrongType),
    }
}

/// Collects the members of a list.
struct Members {
    types: Names,
    offer: Offer,
}

impl<'de> ListVisitor<'de> for Members {
    type Out = Offer;
    type Error = WrongType;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, WrongType> {
        Ok(Member(self))
    }

    fn finish(self) -> Result<Offer, WrongType> {
        Ok(self.offer)
    }
}

struct Member<'a>(&'a mut Members);

impl<'de> EntryVisitor<'de> for Member<'_> {
    type Error = WrongType;

    fn item(self) -> Result<impl ItemVisitor<'de>, WrongType> {
        Ok(|item| {
            let (name, token) = name(item, self.0.types)?;
            self.0.offer.names.push(name);
            self.0.offer.tokens |= token;
            Ok::<_, WrongType>(Ignored)
        })
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, WrongType> {
        Err::<Never, _>(WrongType)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("neither a String nor a Token")]
struct WrongType;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn offered(lines: &[&str]) -> Vec<String> {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        offer(&headers(&draft::OFFER_10, &lines), Names::Either).names
    }

    fn chosen(lines: &[&str]) -> Option<String> {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        choice(&headers(&draft::CHOICE_10, &lines), Names::Either)
    }

    fn headers(name: &HeaderName, lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_owned).to_vec()
    }

    fn of_strings<const N: usize>(strings: [&str; N]) -> Offer {
        Offer {
            names: names(strings),
            tokens: false,
        }
    }

    #[test]
    fn tokens_are_read_by_the_rules_of_old_drafts_alone() {
        for (line, tokens) in [("a, b", true), ("\"a\", b", true), (r#""a", "b""#, false)] {
            let offered = headers(&draft::OFFER_10, &[line.as_bytes()]);

            let old = offer(&offered, Names::Either);
            assert_eq!(
                (old.names, old.tokens),
                (names(["a", "b"]), tokens),
                "{line}"
            );
            let new = offer(&offered, Names::Strings);
            assert_eq!(new.names.is_empty(), tokens, "{line}");
        }
        let chosen = headers(&draft::CHOICE_10, &[b"a"]);
        assert_eq!(choice(&chosen, Names::Either).as_deref(), Some("a"));
        assert_eq!(choice(&chosen, Names::Strings), None);
    }

    #[test]
    fn who_offers_tokens_is_answered_with_one() {
        let mut answered = HeaderMap::new();
        let offered = Offer {
            names: names(["v1"]),
            tokens: true,
        };

        let chosen = answer(&mut answered, Some("v1"), &offered, Names::Either);

        assert_eq!(chosen, Ok(Some("v1".to_owned())));
        assert_eq!(answered, headers(&draft::CHOICE_10, &[b"v1"]));
    }

    #[test]
    fn an_offer_is_written_as_strings_or_if_all_can_be_as_tokens() {
        let offer = |written: &[&str], tokens| {
            let written: Vec<_> = written.iter().map(ToString::to_string).collect();
            encode_offer(&written, tokens).unwrap()
        };

        for tokens in [false, true] {
            let offer = offer(&["chat.v2", r#"a "b" \c"#], tokens);
            assert_eq!(offer, r#""chat.v2", "a \"b\" \\c""#);
        }
        assert_eq!(offer(&["chat.v2", "b"], false), r#""chat.v2", "b""#);
        assert_eq!(offer(&["chat.v2", "b"], true), "chat.v2, b");
        assert_eq!(encode_choice("chat.v2", false).unwrap(), r#""chat.v2""#);
        assert_eq!(encode_choice("chat.v2", true).unwrap(), "chat.v2");
        assert_eq!(encode_choice("no token", true).unwrap(), r#""no token""#);
    }

    #[test]
    fn nothing_and_what_is_not_printable_ascii_is_not_written() {
        for wrong in [&names([])[..], &names(["é"]), &names(["ok", "\t"])] {
            assert_eq!(encode_offer(wrong, false), None);
        }
        assert_eq!(encode_choice("é", false), None);
    }

    #[test]
    fn strings_and_tokens_are_read_with_any_parameters() {
        for line in [
            r#""a", "b""#,
            "a, b",
            r#"a;q=0.5, "b";x;y=?0;z=:AQI=:"#,
            r#"  "a"	,	"b"  "#,
        ] {
            assert_eq!(offered(&[line]), ["a", "b"], "{line}");
        }
        for line in [r#""a""#, "a", r#""a";x=1"#, "a;x=\"y\"", " a "] {
            assert_eq!(chosen(&[line]), Some("a".to_owned()), "{line}");
        }
    }

    #[test]
    fn the_lines_of_an_offer_are_one_list_and_those_of_a_choice_none() {
        assert_eq!(offered(&["a", "b, c"]), ["a", "b", "c"]);
        assert_eq!(chosen(&["a", "a"]), None);
    }

    #[test]
    fn one_member_of_another_type_spoils_the_offer() {
        for wrong in ["1", "1.5", "?1", ":AQI=:", "@1", r#"%"b""#, "(b)", "(b);x"] {
            assert_eq!(offered(&[&format!("a, {wrong}")]), [""; 0], "{wrong}");
            assert_eq!(chosen(&[wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_malformed_is_as_good_as_absent() {
        for wrong in ["", ",", "a,", "a b", "\"a", "a;", "a;X=1", r#""\x""#, "é"] {
            assert_eq!(offered(&[wrong]), [""; 0], "{wrong}");
            assert_eq!(chosen(&[wrong]), None, "{wrong}");
        }
        assert_eq!(offer(&HeaderMap::new(), Names::Either), Offer::default());
        assert_eq!(choice(&HeaderMap::new(), Names::Either), None);
    }

    #[test]
    fn the_servers_order_decides() {
        let offered = names(["v1", "v2"]);

        assert_eq!(choose(["v3", "v2", "v1"], &offered).as_deref(), Some("v2"));
        assert_eq!(choose(["v3"], &offered), None);
        assert_eq!(choose(["V1"], &offered), None);
        assert_eq!(choose(["v1"], &[]), None);
    }

    #[test]
    fn a_choice_takes_the_place_of_one_by_hand() {
        let mut by_hand = headers(&draft::CHOICE_10, &[b"v1", b"v1"]);
        let offered = of_strings(["v1", "v2"]);

        let answered = answer(&mut by_hand, Some("v2"), &offered, Names::Strings);

        assert_eq!(answered, Ok(Some("v2".to_owned())));
        assert_eq!(by_hand, headers(&draft::CHOICE_10, &[br#""v2""#]));
    }

    #[test]
    fn an_answer_chooses_what_was_offered_or_nothing() {
        let offered = of_strings(["v1"]);
        let types = Names::Either;
        let by_hand = |value: &[u8]| {
            answer(
                &mut headers(&draft::CHOICE_10, &[value]),
                None,
                &offered,
                types,
            )
        };

        assert_eq!(by_hand(b"v1"), Ok(Some("v1".to_owned())));
        for wrong in [&b"v2"[..], b"1", b""] {
            assert_eq!(by_hand(wrong), Err(NotOffered));
        }
        for wrong in ["v2", "é"] {
            let answered = answer(&mut HeaderMap::new(), Some(wrong), &offered, types);
            assert_eq!(answered, Err(NotOffered));
        }
        let answered = answer(&mut HeaderMap::new(), None, &offered, types);
        assert_eq!(answered, Ok(None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(names in vec("[ -~]{0,9}", 1..9), tokens: bool) {
            let types = if tokens { Names::Either } else { Names::Strings };
            let mut headers = HeaderMap::new();
            headers.insert(draft::OFFER_10, encode_offer(&names, tokens).unwrap());
            headers.insert(draft::CHOICE_10, encode_choice(&names[0], tokens).unwrap());

            let choice = choice(&headers, types);
            prop_assert_eq!(choice, Some(names[0].clone()));
            prop_assert_eq!(offer(&headers, types).names, names);
        }

        #[test]
        fn whatever_is_read_can_be_written(lines in vec(vec(line_byte(), 0..24), 0..4)) {
            let lines: Vec<_> = lines.iter().map(Vec::as_slice).collect();

            let offered = offer(&headers(&draft::OFFER_10, &lines), Names::Either).names;
            let chosen = choice(&headers(&draft::CHOICE_10, &lines), Names::Either);

            prop_assert!(offered.is_empty() || encode_offer(&offered, true).is_some());
            prop_assert!(chosen.is_none_or(|chosen| encode_choice(&chosen, true).is_some()));
        }
    }

    /// Any byte of a header; those that mean something come more often.
    fn line_byte() -> impl Strategy<Value = u8> {
        let marks = prop::sample::select(&b"\"\\,;=()?:@% ab*1.-"[..]);
        prop_oneof![4 => marks, 1 => 0x20..0x7fu8, 1 => 0x80..=0xffu8]
    }
}
