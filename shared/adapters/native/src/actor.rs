//! Who runs this: what leases, grants and history name.

use kedge_engine::LeaseTimes;

use crate::settings::{Settings, SettingsError};

const KEDGE_LEASE_SECONDS: &str = "KEDGE_LEASE_SECONDS";

impl Settings {
    /// Who runs this, and where: `ana@laptop`, or in GitHub Actions the actor and the commit.
    #[must_use]
    pub fn actor(&self) -> String {
        if self.get("GITHUB_ACTIONS") == Some("true") {
            let actor = self.get("GITHUB_ACTOR").unwrap_or("somebody");
            let commit: String = self
                .get("GITHUB_SHA")
                .unwrap_or_default()
                .chars()
                .take(7)
                .collect();
            return format!("{actor} (GitHub Actions, commit {commit})");
        }
        let user = ["USER", "LOGNAME", "USERNAME"]
            .iter()
            .find_map(|name| self.get(name))
            .unwrap_or("somebody");
        format!("{user}@{}", host())
    }

    /// How leases are kept: `KEDGE_LEASE_SECONDS` scales all their times, for tests. All who share a
    /// store must use the same.
    ///
    /// # Errors
    /// When it is not a whole number of seconds from 1 to 3600.
    pub fn lease_times(&self) -> Result<LeaseTimes, SettingsError> {
        let Some(text) = self.get(KEDGE_LEASE_SECONDS) else {
            return Ok(LeaseTimes::default());
        };
        match text.parse::<u32>() {
            Ok(seconds @ 1..=3600) => Ok(LeaseTimes::of_seconds(seconds)),
            _ => Err(SettingsError::new(format!(
                "{KEDGE_LEASE_SECONDS} must be a whole number of seconds from 1 to 3600"
            ))),
        }
    }
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
        let folder = tempfile::tempdir().unwrap();
        Settings::merge(values, folder.path()).unwrap()
    }

    #[test]
    fn a_person_and_a_machine() {
        let actor = settings(&[("USER", "ana")]).actor();
        assert!(actor.starts_with("ana@") && actor.len() > 4, "{actor}");
        assert!(settings(&[]).actor().starts_with("somebody@"));
        let actor = settings(&[
            ("USER", "runner"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_ACTOR", "ana"),
            ("GITHUB_SHA", "3f9a1c2deadbeef"),
        ])
        .actor();
        assert_eq!(actor, "ana (GitHub Actions, commit 3f9a1c2)");
    }

    #[test]
    fn one_number_scales_all_times() {
        let times = |text: &str| settings(&[("KEDGE_LEASE_SECONDS", text)]).lease_times();
        assert_eq!(settings(&[]).lease_times(), Ok(LeaseTimes::default()));
        assert_eq!(times("60"), Ok(LeaseTimes::default()));
        assert_eq!(times("2"), Ok(LeaseTimes::of_seconds(2)));
        for bad in ["0", "3601", "-1", "1.5", "x"] {
            assert!(times(bad).is_err(), "{bad}");
        }
    }
}
