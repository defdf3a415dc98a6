//! Where the settings come from on a machine: the environment, read once, and `.env`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use kedge_adapters::{HeldSecrets, Settings, SettingsError};

use crate::dotenv;

/// Reads the process's environment and, if there is one, `.env` in `folder`. The process wins;
/// nothing of `.env` enters the process's environment.
///
/// # Errors
/// When `.env` can't be read; names the line, never its text.
pub fn load_settings(folder: &Path) -> Result<Settings, SettingsError> {
    merge_settings(process_variables(), folder)
}

/// The same with another environment, for tests.
///
/// # Errors
/// As [`load_settings`].
pub fn merge_settings(
    process: impl IntoIterator<Item = (String, String)>,
    folder: &Path,
) -> Result<Settings, SettingsError> {
    let path = folder.join(".env");
    let file = match fs::read_to_string(&path) {
        Ok(text) => dotenv::parse(&text).map_err(|(line, problem)| {
            SettingsError(format!("{}:{line}: {problem}", path.display()))
        })?,
        Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => {
            let text = format!("could not read {}: {error}", path.display());
            return Err(SettingsError(text));
        }
    };
    Ok(Settings::of(file.into_iter().chain(process)))
}

/// The credentials of all providers, as [`Settings::secrets`] has them; a relative path of a file begins at
/// `folder`.
#[must_use]
pub fn secrets_of(settings: &Settings, folder: &Path) -> (HeldSecrets, Option<SettingsError>) {
    settings.secrets(|path| fs::read_to_string(folder.join(path)))
}

/// The variables of the process.
pub fn process_variables() -> impl Iterator<Item = (String, String)> {
    // A value that is not Unicode is set and unusable, so it is not passed over.
    std::env::vars_os().filter_map(|(name, value)| {
        let value = value.to_string_lossy().into_owned();
        Some((name.into_string().ok()?, value))
    })
}

#[cfg(test)]
mod tests {
    use kedge_engine::ports::Secrets as _;

    use super::*;

    #[test]
    fn the_process_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let text = "AIVEN_TOKEN=file\nCLOUDFLARE_API_TOKEN=file\nAIVEN_WEB_URL=\n";
        fs::write(folder.path().join(".env"), text).unwrap();
        let process = [
            ("AIVEN_TOKEN".to_owned(), "process".to_owned()),
            ("CLOUDFLARE_API_TOKEN".to_owned(), " ".to_owned()),
        ];
        let settings = merge_settings(process, folder.path()).unwrap();
        assert_eq!(settings.get("AIVEN_TOKEN"), Some("process"));
        assert_eq!(settings.get("CLOUDFLARE_API_TOKEN"), Some("file"));
        assert_eq!(settings.get("AIVEN_WEB_URL"), None);
        assert!(!format!("{settings:?}").contains("process"));
    }

    #[test]
    fn a_bad_file_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".env"), "A=1\nhunter2\n").unwrap();
        let error = merge_settings([], folder.path()).unwrap_err().to_string();
        assert!(
            error.contains(".env:2: ") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn the_real_environment_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load_settings(folder.path()).unwrap().get("PATH").is_some());
    }

    #[test]
    fn a_path_begins_at_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key.json"), "{\"from\":\"file\"}").unwrap();
        let absolute = folder.path().join("key.json");
        for path in ["key.json", "./key.json", absolute.to_str().unwrap()] {
            let variables = [("GOOGLE_CREDENTIALS".to_owned(), path.to_owned())];
            let (secrets, problem) = secrets_of(&Settings::of(variables), folder.path());
            let secret = secrets.secret("GOOGLE_CREDENTIALS").unwrap();
            assert_eq!((secret.reveal(), problem), ("{\"from\":\"file\"}", None));
        }
        let variables = [("GOOGLE_CREDENTIALS".to_owned(), "other.json".to_owned())];
        assert!(
            secrets_of(&Settings::of(variables), folder.path())
                .1
                .is_some()
        );
    }
}
