//! Names and page tokens as parts of a URL, for every provider.
//!
//! A provider's `requests.rs` puts each name through here; nothing else may encode.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

/// All but the unreserved characters of RFC 3986, section 2.3. `%` and `+` are legal in Pub/Sub's ids,
/// and a `:` would begin a custom verb.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name that no path can hold. Whoever parses the URL drops it, or goes up a folder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` can't be a name: no URL can hold it")]
pub(super) struct NameError(String);

/// A name as one segment of a path.
///
/// # Errors
/// When the name is empty, `.` or `..`. Encoding does not help there: a URL parser also takes `%2E` for
/// a dot (URL Standard: double-dot URL path segment).
pub(super) fn segment(name: &str) -> Result<String, NameError> {
    match name {
        "" | "." | ".." => Err(NameError(name.to_owned())),
        _ => Ok(utf8_percent_encode(name, ENCODED).to_string()),
    }
}

/// A text as a value in a query.
pub(super) fn query_value(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;
    use url::Url;

    /// Every byte that a text can hold: each ASCII character, and a character for every byte above.
    fn every_byte() -> Vec<String> {
        let ascii = (0..=0x7F_u8).map(|byte| char::from(byte).to_string());
        let above = (0x80..=0x7FF_u32).chain([0x800, 0xFFFD, 0x10_0000, 0x10_FFFF]);
        let above = above.filter_map(char::from_u32).map(String::from);
        ascii.chain(above).collect()
    }

    /// What a server finds at the place of a name.
    fn arrives(encoded: &str) -> String {
        let url = format!("https://h.example/v1/{encoded}/t:verb?q=1");
        let uri: http::Uri = url.parse().unwrap();
        // The client on a machine, and a Worker, send what the URL Standard makes of it.
        let url = Url::parse(&url).unwrap();
        assert_eq!(url.path(), uri.path());
        assert_eq!((url.query(), url.fragment()), (Some("q=1"), None));
        let segments: Vec<&str> = url.path_segments().unwrap().collect();
        assert!(matches!(segments.as_slice(), ["v1", _, "t:verb"]), "{url}");
        let name = percent_decode_str(segments[1]);
        name.decode_utf8().unwrap().into_owned()
    }

    #[test]
    fn every_byte_arrives_as_it_was_written() {
        for byte in every_byte() {
            for name in [
                byte.clone(),
                format!("{byte}{byte}"),
                format!("a{byte}.{byte}"),
            ] {
                match segment(&name) {
                    Ok(encoded) => assert_eq!(arrives(&encoded), name, "{encoded}"),
                    Err(_) => assert!(matches!(name.as_str(), "." | ".."), "{name:?}"),
                }
            }
        }
    }

    #[test]
    fn only_unreserved_characters_stay() {
        for byte in 0..=0x7F_u8 {
            let stays = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let text = format!("x{}", char::from(byte));
            let wanted = if stays {
                text.clone()
            } else {
                format!("x%{byte:02X}")
            };
            assert_eq!(segment(&text).as_ref(), Ok(&wanted));
            assert_eq!(query_value(&text), wanted);
        }
        assert_eq!(segment("é€"), Ok("%C3%A9%E2%82%AC".to_owned()));
    }

    #[test]
    fn a_name_that_would_climb_is_refused() {
        for name in ["", ".", ".."] {
            assert!(segment(name).is_err(), "{name}");
        }
        // These are names: the `%` arrives as one.
        for name in ["%2e", "%2E%2E", ".%2e", "...", "../a", "..\\a"] {
            assert_eq!(arrives(&segment(name).unwrap()), name);
        }
    }

    #[test]
    fn a_query_value_arrives_as_it_was_written() {
        for text in every_byte() {
            let url = format!("https://h.example/?token={}", query_value(&text));
            let url = Url::parse(&url).unwrap();
            let pairs: Vec<_> = url.query_pairs().collect();
            assert_eq!(pairs, [("token".into(), text.into())]);
        }
    }
}
