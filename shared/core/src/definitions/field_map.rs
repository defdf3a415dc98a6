//! The fields of one resource while it is read.

use crate::model::{FieldName, SecretText, Value};

use super::problem::Place;

/// A field as it was read.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub(super) value: Value,
    pub(super) place: Place<'a>,
    pub(super) is_default: bool,
    pub(super) secret: Option<SecretText>,
}

/// The fields of one resource, or an area's defaults of one kind, in order of their names.
///
/// A plain list: a resource has few fields, and every resource begins with a copy of its area's.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldMap<'a>(Vec<(FieldName, Field<'a>)>);

impl<'a> FieldMap<'a> {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn find(&self, name: &FieldName) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| own.cmp(name))
    }

    pub(super) fn get(&self, name: &FieldName) -> Option<&Field<'a>> {
        let at = self.find(name).ok()?;
        self.0.get(at).map(|(_, field)| field)
    }

    pub(super) fn get_mut(&mut self, name: &FieldName) -> Option<&mut Field<'a>> {
        let at = self.find(name).ok()?;
        self.0.get_mut(at).map(|(_, field)| field)
    }

    pub(super) fn contains(&self, name: &FieldName) -> bool {
        self.find(name).is_ok()
    }

    /// Puts a field in, in place of one of that name.
    pub(super) fn insert(&mut self, name: FieldName, field: Field<'a>) {
        match self.find(&name) {
            Ok(at) => {
                if let Some(own) = self.0.get_mut(at) {
                    *own = (name, field);
                }
            }
            Err(at) => self.0.insert(at, (name, field)),
        }
    }

    pub(super) fn remove(&mut self, name: &FieldName) {
        self.0.retain(|(own, _)| own != name);
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &FieldName> {
        self.0.iter().map(|(name, _)| name)
    }

    pub(super) fn fields_mut(&mut self) -> impl Iterator<Item = &mut Field<'a>> {
        self.0.iter_mut().map(|(_, field)| field)
    }
}

impl<'a> IntoIterator for FieldMap<'a> {
    type Item = (FieldName, Field<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::yaml::Pos;
    use super::*;

    #[test]
    fn names_stay_in_order_and_once() {
        let field = |number| Field {
            value: Value::Int(number),
            place: Place {
                file: "a.yaml",
                pos: Pos::START,
            },
            is_default: false,
            secret: None,
        };
        let mut map = FieldMap::new();
        for (name, number) in [("b", 1), ("c", 2), ("a", 3), ("b", 4)] {
            map.insert(FieldName::known(name), field(number));
        }
        map.remove(&FieldName::known("c"));
        let b = FieldName::known("b");
        assert_eq!(map.get(&b).unwrap().value, Value::Int(4));
        assert!(map.contains(&b) && !map.contains(&FieldName::known("c")));
        let names: Vec<_> = map.names().map(FieldName::as_str).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
