//! Looking keys up in their own order: one walk over each map instead of a search per key.

use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;

use crate::live::{Live, LiveWorld, Reading, ScopeReading};
use crate::model::{ResourceKey, Scope};

/// A map that is asked for keys in rising order.
pub(super) struct Seek<'a, K, V>(Peekable<btree_map::Iter<'a, K, V>>);

impl<'a, K: Ord, V> Seek<'a, K, V> {
    pub(super) fn new(map: &'a BTreeMap<K, V>) -> Self {
        Self(map.iter().peekable())
    }

    /// The value of a key that is not below the one asked for before.
    pub(super) fn get(&mut self, key: &K) -> Option<&'a V> {
        while self.0.next_if(|(own, _)| *own < key).is_some() {}
        self.0
            .peek()
            .filter(|(own, _)| *own == key)
            .map(|(_, value)| *value)
    }
}

/// The live world, asked for keys in rising order.
pub(super) struct SeekLive<'a> {
    world: &'a LiveWorld,
    scopes: BTreeMap<&'a Scope, SeekScope<'a>>,
}

struct SeekScope<'a> {
    scope: &'a ScopeReading,
    resources: Seek<'a, ResourceKey, Live>,
    /// How many of the resources were asked for.
    found: usize,
}

impl<'a> SeekLive<'a> {
    pub(super) fn new(world: &'a LiveWorld) -> Self {
        let open = |(scope, reading): (&'a Scope, &'a ScopeReading)| {
            let open = SeekScope {
                scope: reading,
                resources: Seek::new(&reading.resources),
                found: 0,
            };
            (scope, open)
        };
        Self {
            world,
            scopes: world.scopes.iter().map(open).collect(),
        }
    }

    /// What is known of a key that is not below the one asked for before; none if its scope was
    /// never asked for.
    pub(super) fn reading(&mut self, key: &ResourceKey) -> Option<Reading<'a>> {
        let scope = self.scopes.get_mut(key.scope())?;
        let live = scope.resources.get(key);
        scope.found += usize::from(live.is_some());
        Some(scope.scope.reading_of(key, live))
    }

    /// The scopes that hold resources which were not asked for.
    pub(super) fn with_others(self) -> impl Iterator<Item = &'a ScopeReading> {
        let Self { world, scopes } = self;
        let has_others = move |(scope, reading): &(&Scope, &ScopeReading)| {
            let found = scopes.get(scope).map_or(0, |scope| scope.found);
            found < reading.resources.len()
        };
        world
            .scopes
            .iter()
            .filter(has_others)
            .map(|(_, reading)| reading)
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
}
