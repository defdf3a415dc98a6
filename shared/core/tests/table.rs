//! The table of declared, recorded and live: every case, what it is called, what could be done about
//! it, how bad that would be, and who may.
//!
//! `may` has one place each for a tick under the policies none, safe and disruptive (both `correct`
//! and `deploy`), a person who agrees, a person who names the key, and one who types the stack's
//! name: a letter where all of the change may be made, `~` where a part may, a dot where nothing.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a table that can't be read has failed"
)]

mod table {
    pub(crate) mod case;
    pub(crate) mod rows;
}

use table::case::Case;
use table::rows::{ADOPTED, FORGOTTEN, LOST, ROWS};

#[test]
fn every_case_of_declared_recorded_and_live() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in ROWS.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        rows += 1;
        let case = Case::read(line);
        let found = case.judge();
        if found != case.expected {
            let expected = &case.expected;
            wrong.push(format!(
                "{line}\n  expected {expected:?}\n  found    {found:?}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {rows} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(rows > 100, "{rows} rows");
}

/// Rows of a smaller table: the case, and behind `=>` what comes of it.
fn short_table(rows: &str, of: impl Fn(&Case) -> String) {
    let lines = rows.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines {
        let (case, expected) = line.split_once("=>").unwrap();
        let case = Case::read(&format!("{case} - | - | - | - | -"));
        assert_eq!(of(&case), expected.trim(), "{line}");
    }
}

#[test]
fn every_case_of_adopting() {
    short_table(ADOPTED, Case::adopt);
}

#[test]
fn every_case_of_forgetting() {
    short_table(FORGOTTEN, Case::forget);
}

#[test]
fn every_case_of_what_is_lost() {
    short_table(LOST, Case::lost);
}
