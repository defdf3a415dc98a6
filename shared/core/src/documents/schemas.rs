//! `kedge.schemas/1`: the JSON Schemas of the definition files.

use serde::Serialize;
use serde_json::Value as Json;

use super::parts::Text;

format_name!(Schemas: SchemasFormat => "kedge.schemas/1");

/// The JSON Schemas of the definition files, for editors: `kedge schema`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Schemas {
    /// The name and number of this format.
    pub format: SchemasFormat,
    /// The schemas.
    pub schemas: Vec<DefinitionSchema>,
}

/// The JSON Schema of one sort of definition file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DefinitionSchema {
    /// The name of its file, as `--write` writes it.
    pub file: Text,
    /// The JSON Schema.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, Json>"))]
    pub schema: Json,
}

/// The JSON Schemas of the definition files, by file name.
#[must_use]
pub fn schemas<'a>(schemas: impl IntoIterator<Item = (&'a str, Json)>) -> Schemas {
    let one = |(file, schema)| DefinitionSchema {
        file: Text::new(file),
        schema,
    };
    Schemas {
        format: SchemasFormat::V1,
        schemas: schemas.into_iter().map(one).collect(),
    }
}
