//! The modules of core and engine stand in layers: each uses only modules before it, so that none of
//! them forms a circle with another.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// From the words that all use to the documents that use all.
const OF_CORE: &[&str] = &[
    "hint",
    "closed",
    "model",
    "live",
    "change",
    "providers",
    "definitions",
    "stored",
    "compare",
    "risk",
    "plan",
    "ran_out",
    "record",
    "report",
    "schedule",
    "accept",
    "push",
    "render",
    "documents",
];

/// From the ports to the front door.
const OF_ENGINE: &[&str] = &[
    "ports",
    "error_chain",
    "keys",
    "traces",
    "reads",
    "gate",
    "budget",
    "tokens",
    "caches",
    "endpoints",
    "state_store",
    "lease",
    "call_error",
    "wakers",
    "shared_reads",
    "session",
    "retry",
    "providers",
    "wanted",
    "estimate",
    "group",
    "bundles",
    "registry",
    "schedule",
    "ownership",
    "holds",
    "state_command",
    "consent",
    "grants",
    "progress",
    "settings",
    "job",
    "outcome",
    "declared",
    "observe",
    "decide",
    "assess",
    "remember",
    "execute",
    "leased_run",
    "reconcile",
    "push",
    "history",
    "documents",
    "front_door",
];

/// The Rust files under a path, but for tests.
fn sources(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap().to_string_lossy();
    if path.is_file() {
        let is_source = name.ends_with(".rs") && !name.ends_with("tests.rs");
        return Vec::from_iter(is_source.then(|| path.to_owned()));
    }
    if name == "tests" || !path.exists() {
        return Vec::new();
    }
    let entries = fs::read_dir(path).unwrap();
    entries
        .flat_map(|entry| sources(&entry.unwrap().path()))
        .collect()
}

/// The modules of its crate that a source names, outside of comments and its tests.
fn named(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let paths = lines.flat_map(|line| line.split("crate::").skip(1));
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = |path: &str| path.split(|c| !is_of_name(c)).next().unwrap().to_owned();
    paths.map(name).collect()
}

#[test]
fn each_module_of_the_core_uses_only_modules_before_it() {
    stand_in_layers("core", OF_CORE);
}

#[test]
fn each_module_of_the_engine_uses_only_modules_before_it() {
    stand_in_layers("engine", OF_ENGINE);
}

fn stand_in_layers(name: &str, layers: &[&str]) {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let src = crates.join(name).join("src");
    let mut found = Vec::new();
    for (layer, module) in layers.iter().enumerate() {
        let file = src.join(format!("{module}.rs"));
        let files = [sources(&file), sources(&src.join(module))].concat();
        assert!(!files.is_empty(), "{module}");
        found.extend(files.iter().cloned());
        for path in files {
            for used in named(&fs::read_to_string(&path).unwrap()) {
                let at = layers.iter().position(|layer| *layer == used);
                let is_before = at.is_some_and(|at| at <= layer);
                assert!(is_before, "{} uses crate::{used}", path.display());
            }
        }
    }
    // No module is left out of the layers.
    let all = sources(&src).len();
    assert_eq!(found.len() + 1, all, "lib.rs, and each file of a layer");
}
