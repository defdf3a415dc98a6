//! A fault that only tests want: the process dies in the middle of its changes.

use std::cell::Cell;

thread_local! {
    /// How many writes to providers are sent before the next one is a panic.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// From now on so many writes are sent, and the next one panics. In one process only the first call counts.
pub fn panic_after(writes: u32) {
    LEFT.set(LEFT.get().or(Some(writes)));
}

#[expect(clippy::panic, reason = "that is what it is for")]
pub(crate) fn before_write() {
    match LEFT.get() {
        None => {}
        Some(0) => panic!("planted"),
        Some(left) => LEFT.set(Some(left - 1)),
    }
}
