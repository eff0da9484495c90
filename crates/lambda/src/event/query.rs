//! Queries: byte for byte where the event has the bytes, encoded anew where it has only what they meant.

use faregate_core::{path::encode_query, problem::Problem};

use super::{
    problems,
    text::{Multi, Single},
};

/// Most bytes of a query. A `http::Uri` holds 64 KB in all.
pub const QUERY_BYTES_MAX: usize = 32 * 1024;

/// Appends `?` and the query to `target`; nothing if the query is empty.
///
/// What a URL cannot hold is percent-encoded ([`encode_query`]); every other byte stays as it is.
pub(super) fn push(target: &mut String, query: &str) -> Result<(), Problem> {
    if query.is_empty() {
        return Ok(());
    }
    if query.len() > QUERY_BYTES_MAX {
        return Err(too_large());
    }
    if query.bytes().any(is_refused) {
        let advice = "send a query without control characters, spaces and #";
        return Err(problems::invalid(advice, "the query has a control character, a space or a #"));
    }
    let query = encode_query(query);
    target.push('?');
    target.push_str(&query);
    if query.len() > QUERY_BYTES_MAX { Err(too_large()) } else { Ok(()) }
}

/// The query of an event that has it as a map: the lists of values if there are any, else the single ones, sorted by
/// name, because a map's order says nothing. `is_decoded` values are percent-encoded, all but unreserved characters.
pub(super) fn of_maps(multi: Option<&Multi<'_>>, single: Option<&Single<'_>>, is_decoded: bool) -> String {
    let mut pairs: Vec<_> = multi.iter().flat_map(|multi| multi.values()).collect();
    if pairs.is_empty() {
        pairs.extend(single.iter().flat_map(|single| single.values()));
    }
    pairs.sort_by_key(|(name, _)| *name);
    let mut query = String::new();
    for (name, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        push_component(&mut query, name, is_decoded);
        query.push('=');
        push_component(&mut query, value, is_decoded);
    }
    query
}

/// Whether no client may send a byte in a query: it could end the query, or the line that the query stands in.
fn is_refused(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | b'#' | 0x7f)
}

fn push_component(query: &mut String, text: &str, is_decoded: bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if !is_decoded {
        query.push_str(text);
        return;
    }
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
            query.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
}

fn too_large() -> Problem {
    problems::too_large("the query", QUERY_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use faregate_core::problem::Code;
    use http::uri::PathAndQuery;

    use super::{QUERY_BYTES_MAX, is_refused, of_maps, push};

    #[test]
    fn a_query_stays_as_it_is_but_for_what_a_uri_cannot_hold() {
        for (query, expected) in [
            ("", "/"),
            ("a=%2f+1&b", "/?a=%2f+1&b"),
            ("a[0]=\\^`{|}'~?/:@%", "/?a[0]=\\^`{|}'~?/:@%"),
            ("\"<é>", "/?%22%3C%C3%A9%3E"),
            (">", "/?%3E"),
        ] {
            let mut target = "/".to_owned();
            push(&mut target, query).expect(query);
            assert_eq!(target, expected);
            assert_eq!(target.parse::<PathAndQuery>().expect("a target"), expected);
        }
    }

    #[test]
    fn control_characters_spaces_and_fragments_are_refused() {
        for query in ["a b", " ", "a=\0", "a\n", "a\u{7f}", "a#b", "#"] {
            assert_eq!(push(&mut String::new(), query).expect_err(query).code, Code::RequestInvalid);
        }
    }

    #[test]
    fn whatever_is_not_refused_makes_a_uri() {
        for char in (0..=0xff).map(char::from).filter(|char| !u8::try_from(*char).is_ok_and(is_refused)) {
            let mut target = "/".to_owned();
            push(&mut target, &char.to_string()).expect("a query");
            assert!(target.is_ascii(), "{char}");
            assert_eq!(target.parse::<PathAndQuery>().expect("a target"), target);
        }
    }

    #[test]
    fn a_query_is_bounded() {
        let mut target = String::new();
        assert!(push(&mut target, &"a".repeat(QUERY_BYTES_MAX)).is_ok());
        for query in ["a".repeat(QUERY_BYTES_MAX + 1), "<".repeat(QUERY_BYTES_MAX / 2)] {
            assert_eq!(push(&mut target, &query).expect_err("bound").code, Code::RequestHeadersTooLarge);
        }
    }

    #[test]
    fn maps_become_sorted_queries() {
        let multi = serde_json::from_str(r#"{"b":["2","1"],"a c":["é+&=%"],"e":[""]}"#).expect("lists");
        let single = serde_json::from_str(r#"{"b":"1"}"#).expect("values");
        assert_eq!(of_maps(Some(&multi), Some(&single), true), "a%20c=%C3%A9%2B%26%3D%25&b=2&b=1&e=");
        assert_eq!(of_maps(Some(&multi), None, false), "a c=é+&=%&b=2&b=1&e=");
        assert_eq!(of_maps(None, Some(&single), false), "b=1");
        assert_eq!(of_maps(None, None, true), "");
    }
}
