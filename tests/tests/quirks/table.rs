//! The table of quirks in `docs/sandbox.md`: every test that it names is there.

use std::fs;
use std::path::{Path, PathBuf};

/// All Rust sources under a folder, as one text.
fn sources(folder: &Path, text: &mut String) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

#[test]
fn every_quirk_names_its_source_and_a_test_that_is_there() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/sandbox.md")).unwrap_or_default();
    let (_, table) = page
        .split_once("| quirk | source | test |")
        .unwrap_or_default();
    let mut text = String::new();
    sources(&root.join("tests/tests"), &mut text);
    sources(&root.join("shared"), &mut text);
    let mut rows = 0;
    for line in table.lines().skip(2).filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [quirk, source, tests] = cells.as_slice() else {
            continue;
        };
        if *quirk == "quirk" || quirk.starts_with("---") {
            continue;
        }
        rows += 1;
        assert!(source.len() > 3, "{quirk} has no source");
        for test in tests.split(", ") {
            let name = test.trim_matches('`');
            let name = name.rsplit("::").next().unwrap_or(name);
            assert!(
                text.contains(&format!("fn {name}()")),
                "{quirk}: there is no test `{name}`"
            );
        }
    }
    assert!(rows >= 40, "{rows} rows");
}
