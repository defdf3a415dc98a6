//! An input: named pieces of bytes, and the JSON form in which a bad one is kept.

use serde_json::{Value, json};

/// A file of a set, a stored object, or an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// A path; of an answer its kind and status (`list-200`, and whatever follows a second dash).
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// What a target is given. The order of the parts counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Input {
    /// The parts.
    pub parts: Vec<Part>,
}

impl Input {
    /// The form in which it is kept: text where it is text.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let part = |part: &Part| match std::str::from_utf8(&part.bytes) {
            Ok(text) => json!({ "name": part.name, "text": text }),
            Err(_) => {
                json!({ "name": part.name, "hex": hex::encode(&part.bytes) })
            }
        };
        self.parts.iter().map(part).collect()
    }

    /// Reads that form.
    ///
    /// # Errors
    /// When it is another.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let parts = json.as_array().ok_or("an input is a list of parts")?;
        let part = |part: &Value| {
            let name = part["name"].as_str()?.to_owned();
            let bytes = match part["hex"].as_str() {
                Some(digits) => hex::decode(digits).ok()?,
                None => part["text"].as_str()?.as_bytes().to_vec(),
            };
            Some(Part { name, bytes })
        };
        let parts = parts.iter().map(part).collect::<Option<_>>();
        Ok(Self {
            parts: parts.ok_or("a part has a `name`, and a `text` or a `hex`")?,
        })
    }
}
