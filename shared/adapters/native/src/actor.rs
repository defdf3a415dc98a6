//! Who runs this: what leases, grants and history name.

use kedge_adapters::Settings;

/// Who runs this, and where: `ana@laptop`, or in GitHub Actions the actor and the commit.
#[must_use]
pub fn actor_of(settings: &Settings) -> String {
    if settings.get("GITHUB_ACTIONS") == Some("true") {
        let actor = settings.get("GITHUB_ACTOR").unwrap_or("somebody");
        let commit: String = settings
            .get("GITHUB_SHA")
            .unwrap_or_default()
            .chars()
            .take(7)
            .collect();
        return format!("{actor} (GitHub Actions, commit {commit})");
    }
    let user = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| settings.get(name))
        .unwrap_or("somebody");
    format!("{user}@{}", host())
}

/// The name of this machine.
#[cfg(unix)]
fn host() -> String {
    let names = rustix::system::uname();
    names.nodename().to_string_lossy().into_owned()
}

/// The name of this machine.
#[cfg(not(unix))]
fn host() -> String {
    "this machine".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(values: &[(&str, &str)]) -> Settings {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::of(values)
    }

    #[test]
    fn a_person_and_a_machine() {
        let actor = actor_of(&settings(&[("USER", "ana")]));
        assert!(actor.starts_with("ana@") && actor.len() > 4, "{actor}");
        assert!(actor_of(&settings(&[])).starts_with("somebody@"));
        let actor = actor_of(&settings(&[
            ("USER", "runner"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_ACTOR", "ana"),
            ("GITHUB_SHA", "3f9a1c2deadbeef"),
        ]));
        assert_eq!(actor, "ana (GitHub Actions, commit 3f9a1c2)");
    }
}
