//! Counting what a store was asked.

use std::cell::Cell;

/// How often a store was asked. For a bucket: requests as they were sent, repetitions included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Operations {
    /// Objects read, or looked for.
    pub gets: u64,
    /// Objects written, whatever came of it.
    pub puts: u64,
    /// Lists of keys; for a bucket, pages of them.
    pub lists: u64,
}

impl Operations {
    /// All that change nothing.
    #[must_use]
    pub fn reads(self) -> u64 {
        self.gets + self.lists
    }

    /// All that may change something.
    #[must_use]
    pub fn writes(self) -> u64 {
        self.puts
    }

    /// Counts one in a store's cell.
    pub fn count(cell: &Cell<Self>, one: impl FnOnce(&mut Self)) {
        let mut operations = cell.get();
        one(&mut operations);
        cell.set(operations);
    }
}
