//! `kedge token`, in a folder without definitions and without a stack.

use std::fs;

use super::Desk;
use super::expect;

/// All that the store has of tokens.
fn stored(desk: &Desk) -> String {
    let folder = desk.folder.path().join(".kedge/store/tokens");
    let files = fs::read_dir(folder).into_iter().flatten();
    let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    texts.collect()
}

#[test]
fn a_token_is_printed_once_and_only_its_hash_is_kept() {
    let desk = Desk::new();
    expect(&desk.kedge("token list"), 0, &["no tokens yet"]);
    let made = desk.kedge("token new --name ci --scope read,check --stacks prod-* --expires 7d");
    expect(&made, 0, &[]);
    // Standard output has the token alone.
    let token = made.out.trim_end();
    let parts: Vec<&str> = token.split('_').collect();
    let [prefix, id, secret] = parts[..] else {
        panic!("{token}");
    };
    assert_eq!((prefix, id.len(), secret.len()), ("kdg", 16, 64));
    assert!(
        made.err.contains(&format!("kedge token revoke {id}")),
        "{}",
        made.err
    );
    assert!(!made.err.contains(secret) && !stored(&desk).contains(secret));
    assert!(stored(&desk).contains(id));
    let listed = desk.kedge("token list");
    let parts = [id, "ci", "read, check", "prod-*", "until", "never used"];
    expect(&listed, 0, &parts);
    assert!(!listed.out.contains(secret));
    // Another of the same name stands beside it, and ending one leaves the other.
    expect(
        &desk.kedge("token new --name ci --scope read --stacks *"),
        0,
        &[],
    );
    expect(
        &desk.kedge(&format!("token revoke {id}")),
        0,
        &[id, "revoked"],
    );
    let listed = desk.kedge("token list");
    assert_eq!(listed.out.matches(" revoked ").count(), 1, "{}", listed.out);
    assert_eq!(listed.out.matches(" until ").count(), 1, "{}", listed.out);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let desk = Desk::new();
    for (words, part) in [
        ("token", "Usage: kedge token"),
        (
            "token new --name ci --scope all --stacks *",
            "`all` is not a scope",
        ),
        (
            "token new --name ci --scope read --stacks Prod",
            "no stack can have a name like",
        ),
        (
            "token new --name ci --scope read --stacks * --expires 367d",
            "at most 366d",
        ),
        ("token new --name é --scope read --stacks *", "no spaces"),
        ("token revoke ../project", "no token of this id"),
    ] {
        expect(&desk.kedge(words), 1, &[part]);
    }
    assert_eq!(stored(&desk), "");
}
