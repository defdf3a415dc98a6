//! How pages look on a screen: their width, colour, and how much of a long list.

use super::common::expect;
use super::desk::Desk;

/// Every line of an answer, in columns, is no wider than this, unless one word is.
#[track_caller]
pub(crate) fn fits_in(answer: &str, width: usize) {
    for line in answer.lines() {
        let words = line.split_whitespace().filter(|word| *word != "\\").count();
        assert!(
            words <= 3 || line.chars().count() <= width,
            "{width}: {line}"
        );
    }
}

#[test]
fn pages_are_as_wide_as_the_screen() {
    let mut desk = Desk::new();
    let stack = "--stack development";
    desk.variables.remove("COLUMNS");
    for arguments in ["check", "preview", "up --yes", "audit", "up --plan 0"] {
        let answer = desk.kedge(&format!("{arguments} {stack}"));
        fits_in(&answer.out, 80);
        fits_in(&answer.err, 80);
    }
    desk.person(
        r#"{"do":"set_topic_config","topic":"development-runtime","config":{"retention_ms":3600000}}"#,
    );
    desk.variables.insert("COLUMNS".to_owned(), "50".to_owned());
    for arguments in ["check", "preview", "up --help", "--help"] {
        let answer = desk.kedge(&format!("{arguments} {stack}"));
        fits_in(&answer.out, 50);
    }
}

#[test]
fn colour_is_what_was_asked_for() {
    let mut desk = Desk::new();
    let coloured = |desk: &Desk, flag: &str| {
        let answer = desk.kedge(&format!("check --stack development {flag}"));
        assert_eq!(answer.code, 2, "{}", answer.err);
        answer.out.contains('\u{1b}')
    };
    // A pipe is not a terminal.
    assert!(!coloured(&desk, ""));
    assert!(!coloured(&desk, "--color never"));
    assert!(coloured(&desk, "--color always"));
    assert!(coloured(&desk, "--colour always"));
    desk.variables.insert("NO_COLOR".to_owned(), "1".to_owned());
    assert!(coloured(&desk, "--color always"));
}

#[test]
fn lists_are_shown_in_full_where_that_is_wanted() {
    let mut desk = Desk::new();
    desk.kedge("up --yes --stack development");
    // Nothing of Aiven can be read.
    desk.variables.remove("AIVEN_TOKEN");
    let check = "check --stack development";
    let short = desk.kedge(check);
    expect(
        &short,
        3,
        &["UNKNOWN", " more (--full)", "INCOMPLETE", "next: "],
    );
    let full = desk.kedge(&format!("{check} --full"));
    assert!(!full.out.contains(" more ("), "{}", full.out);
    assert!(full.out.len() > short.out.len());
}
