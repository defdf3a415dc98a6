//! Plans that were shown, so that a plan that moved can say what moved.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use kedge_core::plan::PlanSummary;

/// Plans kept; older ones are removed.
const KEPT_MAX: usize = 20;

fn folder() -> PathBuf {
    PathBuf::from(".kedge/plans")
}

/// Keeps what a plan consists of: hashes by key, nothing else. Only a convenience, so that failing
/// to keep it fails nothing.
pub(crate) fn keep(summary: &PlanSummary) {
    let Ok(text) = serde_json::to_string(&summary.parts) else {
        return;
    };
    let _ = fs::create_dir_all(folder());
    let _ = fs::write(folder().join(format!("{}.json", summary.digest)), text);
    let Ok(entries) = fs::read_dir(folder()) else {
        return;
    };
    let mut files: Vec<_> = entries
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort_unstable();
    let extra = files.len().saturating_sub(KEPT_MAX);
    for (_, path) in files.into_iter().take(extra) {
        let _ = fs::remove_file(path);
    }
}

/// Finds the parts of a plan that was shown here before.
pub(crate) fn find(digest: &str) -> Option<PlanSummary> {
    // A digest is hexadecimal; anything else is not a file of ours.
    if !digest.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let text = fs::read_to_string(folder().join(format!("{digest}.json"))).ok()?;
    let parts: BTreeMap<String, String> = serde_json::from_str(&text).ok()?;
    Some(PlanSummary {
        digest: digest.to_owned(),
        parts,
    })
}
