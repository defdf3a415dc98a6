//! Looks up keys in rising order: one walk over each map, instead of a search for each key.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;

use crate::live::{Entry, LiveWorld, Reading, ScopeReading};
use crate::model::{ResourceKey, Scope};

/// A map that is asked for keys in rising order.
pub(super) struct Seek<'a, K, V>(Peekable<btree_map::Iter<'a, K, V>>);

impl<'a, K: Ord, V> Seek<'a, K, V> {
    pub(super) fn new(map: &'a BTreeMap<K, V>) -> Self {
        Self(map.iter().peekable())
    }

    /// The value of a key that is not below the one asked for before.
    pub(super) fn get(&mut self, key: &K) -> Option<&'a V> {
        while let Some((own, value)) = self.0.peek() {
            match K::cmp(own, key) {
                Ordering::Less => {}
                Ordering::Equal => return Some(value),
                Ordering::Greater => return None,
            }
            self.0.next();
        }
        None
    }
}

/// The keys of two maps in order, each with what the maps hold of it.
pub(super) fn side_by_side<'a, K: Ord, A, B>(
    one: &'a BTreeMap<K, A>,
    other: &'a BTreeMap<K, B>,
) -> impl Iterator<Item = (&'a K, Option<&'a A>, Option<&'a B>)> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (one.peek(), other.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let a = one.next_if(|_| order != Ordering::Greater);
        let b = other.next_if(|_| order != Ordering::Less);
        let key = a.map(|(key, _)| key).or(b.map(|(key, _)| key))?;
        Some((key, a.map(|(_, value)| value), b.map(|(_, value)| value)))
    })
}

/// The live world, asked for keys in rising order.
pub(super) struct SeekLive<'a> {
    scopes: Vec<SeekScope<'a>>,
    /// The scope of the key before and where it stands, if it was asked for: as a rule the next
    /// key's is the same.
    last: Option<(&'a Scope, Option<usize>)>,
}

struct SeekScope<'a> {
    scope: &'a Scope,
    reading: &'a ScopeReading,
    entries: Seek<'a, ResourceKey, Entry>,
    /// How many of the entries were asked for.
    found: usize,
}

impl<'a> SeekLive<'a> {
    pub(super) fn new(world: &'a LiveWorld) -> Self {
        let open = |(scope, reading): (&'a Scope, &'a ScopeReading)| SeekScope {
            scope,
            reading,
            entries: Seek::new(reading.entries()),
            found: 0,
        };
        Self {
            scopes: world.scopes.iter().map(open).collect(),
            last: None,
        }
    }

    /// What is known of a key that is above the one asked for before, and what was read of its scope;
    /// none if that was never asked for.
    pub(super) fn reading(
        &mut self,
        key: &'a ResourceKey,
    ) -> Option<(&'a ScopeReading, Reading<'a>)> {
        let at = match self.last {
            Some((scope, at)) if std::ptr::eq(scope, key.scope()) => at,
            _ => {
                let found = self
                    .scopes
                    .binary_search_by(|own| own.scope.cmp(key.scope()));
                self.last = Some((key.scope(), found.ok()));
                found.ok()
            }
        };
        let scope = self.scopes.get_mut(at?)?;
        let entry = scope.entries.get(key);
        scope.found += usize::from(entry.is_some());
        let reading = scope.reading.reading_of(key.kind(), entry);
        Some((scope.reading, reading))
    }

    /// The scopes that have entries of resources which were not asked for.
    pub(super) fn with_others(self) -> impl Iterator<Item = &'a ScopeReading> {
        let has_others = |scope: &SeekScope<'_>| scope.found < scope.reading.entries().len();
        let scopes = self.scopes.into_iter();
        scopes.filter(has_others).map(|scope| scope.reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeking_finds_what_getting_finds() {
        let map: BTreeMap<u32, u32> = (0..50).map(|n| (n * 3, n)).collect();
        let mut seek = Seek::new(&map);
        for key in (0..160).flat_map(|key| [key, key]) {
            assert_eq!(seek.get(&key), map.get(&key), "{key}");
        }
    }

    #[test]
    fn side_by_side_has_every_key_once() {
        let one: BTreeMap<u32, char> = (0..30).map(|n| (n * 2, 'a')).collect();
        let other: BTreeMap<u32, char> = (0..30).map(|n| (n * 3, 'b')).collect();
        let all: std::collections::BTreeSet<u32> =
            one.keys().chain(other.keys()).copied().collect();
        let found: Vec<_> = side_by_side(&one, &other).collect();
        let wanted = all.iter().map(|key| (key, one.get(key), other.get(key)));
        assert!(found.into_iter().eq(wanted));
        let none: BTreeMap<u32, char> = BTreeMap::new();
        assert_eq!(side_by_side(&none, &one).count(), 30);
        assert_eq!(side_by_side(&one, &none).count(), 30);
    }
}
