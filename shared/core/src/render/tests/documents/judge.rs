//! The schemas of `docs/schema` as tests use them. Those of the command line use this file too, so it
//! knows nothing of this crate.

use serde_json::Value as Json;

/// A schema that allows no key that it does not name. The published ones do, since keys may be added; in
/// a test, a key without documentation is wrong.
pub(crate) fn strict(schema: &Json) -> Json {
    let mut strict = schema.clone();
    close(&mut strict);
    strict
}

/// Allows no keys but those that are named.
fn close(schema: &mut Json) {
    match schema {
        Json::Object(map) => {
            if map.contains_key("properties") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            map.values_mut().for_each(close);
        }
        Json::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}
