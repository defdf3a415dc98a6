//! A map from the names of fields.

use std::cmp::Ordering;
use std::fmt;

use super::FieldName;

/// One value per field, in order of the fields' names.
///
/// A sorted list and no tree: a resource has a handful of fields, and there are as many of these
/// maps as resources, each three or four times. A tree's first node alone takes more room than a
/// whole list.
#[derive(Clone, PartialEq, Eq)]
pub struct ByField<T>(Vec<(FieldName, T)>);

impl<T> ByField<T> {
    /// A map of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a field, if there is one.
    #[must_use]
    pub fn get(&self, name: &FieldName) -> Option<&T> {
        // Among a handful, equality is told faster than order.
        let (_, value) = self.0.iter().find(|(own, _)| own == name)?;
        Some(value)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, name: &FieldName) -> Option<&mut T> {
        let (_, value) = self.0.iter_mut().find(|(own, _)| own == name)?;
        Some(value)
    }

    /// Whether there is such a field.
    #[must_use]
    pub fn contains_key(&self, name: &FieldName) -> bool {
        self.get(name).is_some()
    }

    /// The same fields, to be asked for names in rising order.
    #[must_use]
    pub fn in_order(&self) -> InOrder<'_, T> {
        InOrder(&self.0)
    }

    /// Puts a value in; returns the one that stood there.
    pub fn insert(&mut self, name: FieldName, value: T) -> Option<T> {
        // Most maps are made in order.
        if self.0.last().is_none_or(|(last, _)| *last < name) {
            self.0.push((name, value));
            return None;
        }
        match self.0.binary_search_by(|(own, _)| own.cmp(&name)) {
            Ok(at) => {
                let own = self.0.get_mut(at)?;
                Some(std::mem::replace(&mut own.1, value))
            }
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &FieldName) -> Option<T> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(at).1)
    }

    /// Keeps only what fits.
    pub fn retain(&mut self, mut fits: impl FnMut(&FieldName, &mut T) -> bool) {
        self.0.retain_mut(|(name, value)| fits(name, value));
    }

    /// The same names with other values.
    pub fn map<U>(self, mut other: impl FnMut(&FieldName, T) -> U) -> ByField<U> {
        let pairs = self.0.into_iter().map(|(name, value)| {
            let value = other(&name, value);
            (name, value)
        });
        ByField(pairs.collect())
    }

    /// Names and values.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self.0.iter())
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &FieldName> + Clone {
        self.0.iter().map(|(name, _)| name)
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    /// The values, to change them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

impl<T> Default for ByField<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for ByField<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<T> FromIterator<(FieldName, T)> for ByField<T> {
    fn from_iter<I: IntoIterator<Item = (FieldName, T)>>(pairs: I) -> Self {
        let mut map = Self::new();
        map.extend(pairs);
        map
    }
}

impl<T, const N: usize> From<[(FieldName, T); N]> for ByField<T> {
    fn from(pairs: [(FieldName, T); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<T> Extend<(FieldName, T)> for ByField<T> {
    fn extend<I: IntoIterator<Item = (FieldName, T)>>(&mut self, pairs: I) {
        let pairs = pairs.into_iter();
        self.0.reserve(pairs.size_hint().0);
        for (name, value) in pairs {
            self.insert(name, value);
        }
    }
}

impl<T> IntoIterator for ByField<T> {
    type Item = (FieldName, T);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Looks fields up in the order of their names: one walk instead of a search for each.
#[derive(Debug, Clone, Copy)]
pub struct InOrder<'a, T>(&'a [(FieldName, T)]);

impl<'a, T> InOrder<'a, T> {
    /// The value of a field, if there is one. Its name is not below the one asked for before.
    pub fn get(&mut self, name: &FieldName) -> Option<&'a T> {
        while let [(own, value), rest @ ..] = self.0 {
            match own.cmp(name) {
                Ordering::Less => self.0 = rest,
                Ordering::Equal => return Some(value),
                Ordering::Greater => return None,
            }
        }
        None
    }
}

/// Names and values of a [`ByField`], borrowed.
#[derive(Debug, Clone)]
pub struct Iter<'a, T>(std::slice::Iter<'a, (FieldName, T)>);

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a FieldName, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<'a, T> IntoIterator for &'a ByField<T> {
    type Item = (&'a FieldName, &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        Iter(self.0.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_order_and_once() {
        let name = FieldName::known;
        let mut map: ByField<i64> = [("b", 1), ("c", 2), ("a", 3), ("b", 4)]
            .map(|(field, number)| (name(field), number))
            .into();
        assert_eq!(map.len(), 3);
        assert_eq!(map.insert(name("a"), 5), Some(3));
        assert_eq!(map.remove(&name("c")), Some(2));
        assert_eq!(map.remove(&name("c")), None);
        assert_eq!(map.get(&name("b")), Some(&4));
        assert!(map.contains_key(&name("a")) && !map.contains_key(&name("c")));
        assert_eq!(
            format!("{map:?}"),
            r#"{FieldName("a"): 5, FieldName("b"): 4}"#
        );
        let mut walk = map.in_order();
        let found = ["", "a", "a", "aa", "b", "c"].map(|field| walk.get(&name(field)).copied());
        assert_eq!(found, [None, Some(5), Some(5), None, Some(4), None]);
        map.retain(|_, number| *number == 4);
        assert_eq!(map.into_iter().collect::<Vec<_>>(), [(name("b"), 4)]);
    }
}
