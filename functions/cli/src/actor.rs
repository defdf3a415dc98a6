//! Who runs this, for history (semantics 9.6).

use std::process::Command;

use kedge_native::Settings;

/// `ana@laptop`, or the actor of a CI system: `ana (GitHub Actions, c0ffee12)`.
pub(crate) fn actor(settings: &Settings) -> String {
    if let Some(actor) = settings.get("GITHUB_ACTOR")
        && settings.get("GITHUB_ACTIONS").is_some()
    {
        let commit = settings.get("GITHUB_SHA").and_then(|sha| sha.get(..8));
        let commit = commit.map_or_else(String::new, |commit| format!(", {commit}"));
        return plain(&format!("{actor} (GitHub Actions{commit})"));
    }
    let user = ["USER", "LOGNAME", "USERNAME"];
    let user = user.iter().find_map(|name| settings.get(name));
    let host = settings.get("HOSTNAME").map(str::to_owned).or_else(host);
    plain(&format!(
        "{}@{}",
        user.unwrap_or("somebody"),
        host.as_deref().unwrap_or("somewhere")
    ))
}

/// Shells know the host's name but seldom pass it on.
fn host() -> Option<String> {
    let output = Command::new("hostname").output().ok()?;
    let name = String::from_utf8(output.stdout).ok()?;
    let name = name.trim();
    (output.status.success() && !name.is_empty()).then(|| name.to_owned())
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
