//! The words of kinds and providers. Their entries in [`crate::providers`] have them, so that a new one
//! needs no line here.

use serde::{Serialize, Serializer};

use crate::model::Kind as CoreKind;
use crate::providers::ProviderName;

/// What sort of thing a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(CoreKind);

impl From<&CoreKind> for Kind {
    fn from(kind: &CoreKind) -> Self {
        Self(*kind)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// Who has the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider(ProviderName);

impl From<&ProviderName> for Provider {
    fn from(provider: &ProviderName) -> Self {
        Self(*provider)
    }
}

impl Serialize for Provider {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

#[cfg(test)]
mod schemas {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde_json::{Value as Json, json};

    use super::{CoreKind, Kind, Provider, ProviderName};

    /// Words with their meanings.
    fn words<const N: usize>(about: &str, words: [(&str, &str); N]) -> Schema {
        let words = words.map(|(word, meaning)| -> Json {
            json!({"const": word, "description": meaning, "type": "string"})
        });
        json_schema!({"description": about, "oneOf": words.to_vec()})
    }

    impl JsonSchema for Kind {
        fn schema_name() -> Cow<'static, str> {
            "Kind".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let all = CoreKind::ALL.map(|kind| (kind.as_str(), kind.entry().about));
            words("What sort of thing a resource is.", all)
        }
    }

    impl JsonSchema for Provider {
        fn schema_name() -> Cow<'static, str> {
            "Provider".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let all = ProviderName::ALL.map(|name| (name.as_str(), name.entry().about));
            words("Who has the resource.", all)
        }
    }
}
