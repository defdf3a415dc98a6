//! Checks repeated by one process: what is parsed again.
//!
//! They run in virtual time, in the world of the behaviour tests. Only counts mean something here.

use std::rc::Rc;

use kedge_tests::stack::Stack;

use crate::Failure;
use crate::made::{self, Amounts};
use crate::table::Table;

const SIZES: [usize; 2] = [20, 100];

/// Prints how often definitions are parsed by a check, and by another of the same revision.
pub(crate) fn run() -> Result<(), Failure> {
    let mut table = Table::new(&["resources", "parses, first check", "parses, second check"]);
    for size in SIZES {
        let files = made::definitions(Amounts::mixed(size));
        let mut stack = Stack::of(made::STACK, files);
        // Before a first run is recorded, each check seals URLs with a salt of its own, and parses for it.
        let _ = stack.person(&[]);
        stack.caches = Rc::default();
        let check = || stack.try_check().map_err(|error| format!("{error:?}"));
        let found = check()?.declared.resources.len();
        let first = stack.caches.parses();
        check()?;
        let second = stack.caches.parses() - first;
        table.row([found, first, second].map(|count| count.to_string()).into());
    }
    table.print("1c. Core: a check and, in the same process, another of the same revision");
    Ok(())
}
