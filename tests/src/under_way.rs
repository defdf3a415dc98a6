//! How many requests are under way at one moment.

use std::cell::Cell;

/// How many requests are under way, and how many there were at most.
#[derive(Debug, Default)]
pub struct UnderWay {
    now: Cell<usize>,
    writes: Cell<usize>,
    /// The most at one moment.
    pub most: Cell<usize>,
    /// The most writes at one moment.
    pub most_writes: Cell<usize>,
}

/// One request that is under way until this is dropped.
#[derive(Debug)]
pub struct OnTheWay<'a> {
    under_way: &'a UnderWay,
    write: bool,
}

impl UnderWay {
    /// Counts one more request until what this returns is dropped.
    pub(crate) fn one_more(&self, write: bool) -> OnTheWay<'_> {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        if write {
            self.writes.set(self.writes.get() + 1);
            let most = self.most_writes.get().max(self.writes.get());
            self.most_writes.set(most);
        }
        OnTheWay {
            under_way: self,
            write,
        }
    }
}

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        let Self { under_way, write } = self;
        under_way.now.set(under_way.now.get() - 1);
        if *write {
            under_way.writes.set(under_way.writes.get() - 1);
        }
    }
}
