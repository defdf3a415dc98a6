//! Which keys and words a stored form has, asked of the form itself: what serde would read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer as _,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Every struct and enum of a form, with its keys or words, one a line.
pub(super) fn shape<T: DeserializeOwned>() -> String {
    const WORDS_MAX: usize = 16;
    let found = RefCell::default();
    for word in 0..WORDS_MAX {
        let trace = Trace {
            found: &found,
            word,
            depth: 0,
        };
        if let Err(error) = T::deserialize(trace) {
            panic!("{error}");
        }
    }
    let found = found.into_inner();
    let lines = found.iter().map(|(name, keys)| format!("{name}: {keys}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Gives whatever is asked for, and notes what it was. Of an enum it gives the word of this number, and
/// the first within it.
#[derive(Clone, Copy)]
struct Trace<'a> {
    found: &'a RefCell<BTreeMap<String, String>>,
    word: usize,
    depth: usize,
}

impl Trace<'_> {
    fn deeper(self) -> Self {
        let depth = self.depth + 1;
        Self { depth, ..self }
    }

    fn note(&self, name: &str, keys: &[&str]) {
        let mut found = self.found.borrow_mut();
        found.insert(name.to_owned(), keys.join(", "));
    }
}

#[derive(Debug)]
struct ShapeFault(String);

impl fmt::Display for ShapeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeFault {}

impl de::Error for ShapeFault {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

impl<'de> Deserializer<'de> for Trace<'_> {
    type Error = ShapeFault;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ShapeFault> {
        Err(ShapeFault("a form that this test can't follow".to_owned()))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_bool(true)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_i64(1)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_u32(1)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_u64(1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_str("x")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_str("x")
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        // A form may hold itself: what is deeper has no keys that were not met.
        const DEPTH_MAX: usize = 10;
        match self.depth < DEPTH_MAX {
            true => visitor.visit_some(self.deeper()),
            false => visitor.visit_none(),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_seq(Once(Some(self)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ShapeFault> {
        visitor.visit_seq(Many {
            trace: self,
            left: len,
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeFault> {
        visitor.visit_map(Keys {
            trace: self,
            keys: ["x"].iter(),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeFault> {
        self.note(name, fields);
        visitor.visit_map(Keys {
            trace: self,
            keys: fields.iter(),
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeFault> {
        self.note(name, variants);
        let word = variants[self.word % variants.len()];
        let trace = Self { word: 0, ..self };
        let name = format!("{name}.{word}");
        visitor.visit_enum(Word { trace, word, name })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct
        tuple_struct identifier ignored_any
    }
}

struct Once<'a>(Option<Trace<'a>>);

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = ShapeFault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ShapeFault> {
        let next = self.0.take().map(|trace| seed.deserialize(trace));
        next.transpose()
    }
}

struct Many<'a> {
    trace: Trace<'a>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Many<'_> {
    type Error = ShapeFault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ShapeFault> {
        match self.left {
            0 => Ok(None),
            left => {
                self.left = left - 1;
                seed.deserialize(self.trace).map(Some)
            }
        }
    }
}

struct Keys<'a> {
    trace: Trace<'a>,
    keys: std::slice::Iter<'a, &'a str>,
}

impl<'de> MapAccess<'de> for Keys<'_> {
    type Error = ShapeFault;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ShapeFault> {
        let next = self.keys.next();
        let key = next.map(|key| {
            let key: StrDeserializer<'_, ShapeFault> = (*key).into_deserializer();
            seed.deserialize(key)
        });
        key.transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, ShapeFault> {
        seed.deserialize(self.trace)
    }
}

struct Word<'a> {
    trace: Trace<'a>,
    word: &'static str,
    name: String,
}

impl<'de> EnumAccess<'de> for Word<'_> {
    type Error = ShapeFault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), ShapeFault> {
        let word: StrDeserializer<'_, ShapeFault> = self.word.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'_> {
    type Error = ShapeFault;

    fn unit_variant(self) -> Result<(), ShapeFault> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, ShapeFault> {
        seed.deserialize(self.trace)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ShapeFault> {
        self.trace.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeFault> {
        self.trace.note(&self.name, fields);
        visitor.visit_map(Keys {
            trace: self.trace,
            keys: fields.iter(),
        })
    }
}
