//! The name of a field.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use super::fields::field_specs;
use super::names::Kind;

/// The names in the table of fields, in order.
static KNOWN: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let specs = Kind::ALL.into_iter().flat_map(field_specs);
    let mut names: Vec<_> = specs.map(|spec| spec.name).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// The name of a field: a key of a definition, or `labels.<key>` and `tags.<key>` for one entry of
/// a map.
#[derive(Debug, Clone, Eq)]
pub struct FieldName(Cow<'static, str>);

impl PartialEq for FieldName {
    fn eq(&self, other: &Self) -> bool {
        // Known names are one text as a rule, which spares reading it.
        std::ptr::eq(self.as_str(), other.as_str()) || self.0 == other.0
    }
}

impl Ord for FieldName {
    fn cmp(&self, other: &Self) -> Ordering {
        match std::ptr::eq(self.as_str(), other.as_str()) {
            true => Ordering::Equal,
            false => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for FieldName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for FieldName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl FieldName {
    /// A name known at compile time.
    #[must_use]
    pub const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A name from outside. A known one takes no room of its own: a state has the same few names in
    /// every record.
    #[must_use]
    pub fn new(name: impl AsRef<str> + Into<String>) -> Self {
        let text = name.as_ref();
        match KNOWN.binary_search(&text) {
            Ok(at) => Self(Cow::Borrowed(KNOWN.get(at).copied().unwrap_or_default())),
            Err(_) => Self(Cow::Owned(name.into())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The entry of a map field: `team` of `tags.team`.
    #[must_use]
    pub fn entry_of(&self, map: &str) -> Option<&str> {
        self.0.strip_prefix(map)?.strip_prefix('.')
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
