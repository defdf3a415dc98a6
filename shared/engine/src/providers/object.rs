//! Reads JSON objects, and refuses arrays in their place.
//!
//! What serde derives for a struct also takes an array, with its items as fields in order. Then `[[]]`
//! would read as a list without topics, and so as proof that every topic is gone.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// A struct that was written as an object.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        from.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// Reads a body that is an object.
pub(super) fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body).map(|Object(fields)| fields)
}

/// For `deserialize_with`: an object.
pub(super) fn one<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Object::deserialize(from).map(|Object(fields)| fields)
}

/// For `deserialize_with`: a list of objects.
pub(super) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    let all: Vec<Object<T>> = Vec::deserialize(from)?;
    Ok(all.into_iter().map(|Object(fields)| fields).collect())
}

/// For `deserialize_with` and `default`: an object, or null.
pub(super) fn option<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(from)?.map(|Object(fields)| fields))
}

/// For `deserialize_with` and `default`: a list of objects, or null.
pub(super) fn list_option<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let all: Option<Vec<Object<T>>> = Option::deserialize(from)?;
    Ok(all.map(|all| all.into_iter().map(|Object(fields)| fields).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Page {
        #[serde(deserialize_with = "list")]
        items: Vec<Item>,
        #[serde(default, deserialize_with = "option")]
        info: Option<Item>,
        #[serde(default, deserialize_with = "list_option")]
        more: Option<Vec<Item>>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Item {
        name: String,
    }

    fn page(text: &str) -> Option<Page> {
        read(text.as_bytes()).ok()
    }

    #[test]
    fn only_objects_are_objects() {
        let whole = r#"{"items":[{"name":"a"}],"info":{"name":"b"},"more":[],"other":1}"#;
        let found = page(whole).unwrap();
        assert_eq!(found.items[0].name, "a");
        assert_eq!(found.info.unwrap().name, "b");
        let null = page(r#"{"items":[],"info":null,"more":null}"#).unwrap();
        assert_eq!((null.info, null.more), (None, None));
        assert_eq!(page(r#"{"items":[]}"#).unwrap().items, []);
        for bad in [
            "[[]]",
            r#"[[], null, null]"#,
            r#"{"items":[["a"]]}"#,
            r#"{"items":[],"info":["a"]}"#,
            r#"{"items":[],"more":[["a"]]}"#,
            "null",
            "{}",
        ] {
            assert_eq!(page(bad), None, "{bad}");
        }
    }
}
