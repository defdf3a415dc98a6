//! `KEDGE_READ_ONLY=1`: nothing is changed, here or in the store, and no hint would be refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Desk;
use super::expect;

/// Every file below a folder, with its bytes, and every folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
            found.insert(path.display().to_string(), Vec::new());
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn nothing_changes_here() {
    let mut desk = Desk::new();
    desk.write(".env", "KEDGE_READ_ONLY=1\n");
    let before = files(desk.folder.path());
    for words in [
        "select prod",
        "init --stack juan1",
        "init --stack steve1",
        "schema --write .",
        "push --stack steve1",
        "rollback 0123456789ab --stack steve1",
        "up --yes --stack steve1",
        "up --stack steve1",
        "up --unattended --stack steve1",
        "adopt --stack steve1",
        "forget steve1-runtime --stack steve1",
        "refresh --stack steve1",
        "refresh --confirm-absence --stack steve1",
        "retire --stack steve1",
        "unlock --stack steve1",
        "hold --for 2h --reason x --replace --stack steve1",
        "release --all --stack steve1",
        "release --replace --stack steve1",
        "token new --name ci --scope read --stacks *",
        "token revoke 0123456789abcdef",
    ] {
        let refused = desk.kedge(words);
        expect(&refused, 1, &["read-only", "KEDGE_READ_ONLY is set"]);
        // Nobody is told to add a flag that would be refused too.
        for part in ["--yes", "--confirm", "next:"] {
            assert!(!refused.err.contains(part), "{words}: {}", refused.err);
        }
    }
    for (words, code) in [
        ("check --stack steve1", 2),
        ("preview --stack steve1", 2),
        ("audit --stack steve1", 0),
        ("outputs --stack steve1", 0),
        ("history --stack steve1", 0),
        ("hold --stack steve1", 0),
        ("stack --stack steve1", 0),
        ("schema", 0),
        ("token list", 0),
    ] {
        expect(&desk.kedge(words), code, &[]);
    }
    assert_eq!(files(desk.folder.path()), before);
    // Elsewhere the same commands do change something.
    desk.variables
        .insert("KEDGE_READ_ONLY".to_owned(), "0".to_owned());
    expect(&desk.kedge("select prod"), 0, &["selected prod"]);
    expect(&desk.kedge("preview --stack steve1"), 2, &[]);
    assert!(desk.folder.path().join(".kedge/plans").is_dir());
}

#[test]
fn what_may_not_be_done_here_is_said_to_be_done_elsewhere() {
    let mut desk = Desk::new();
    expect(&desk.kedge("up --yes --stack steve1"), 0, &["done"]);
    desk.variables
        .insert("KEDGE_READ_ONLY".to_owned(), "1".to_owned());
    desk.write(".kedge/store/stacks/steve1/hold.json", "{");
    let elsewhere = "(elsewhere: KEDGE_READ_ONLY is set here)";
    let damaged = desk.kedge("hold --stack steve1");
    expect(&damaged, 1, &["next: kedge hold --replace", elsewhere]);
    desk.person(
        r#"{"do":"set_topic_config","topic":"steve1-runtime","config":{"retention_ms":3600000}}"#,
    );
    let check = desk.kedge("check --stack steve1");
    expect(
        &check,
        2,
        &["everything is held", "kedge hold --replace", elsewhere],
    );
    fs::remove_dir_all(desk.folder.path().join(".kedge/store")).unwrap();
    let refused = desk.kedge("check --stored --stack steve1");
    expect(&refused, 3, &["kedge push", elsewhere]);
    desk.variables
        .insert("KEDGE_READ_ONLY".to_owned(), "maybe".to_owned());
    expect(&desk.kedge("select prod"), 1, &["KEDGE_READ_ONLY must be"]);
}
