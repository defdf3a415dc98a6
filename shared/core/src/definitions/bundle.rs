//! A bundle: all definition files of one revision, as one value. An upload carries it and a check reads
//! it.
//!
//! Its stored form is in [`crate::stored::bundle`].

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::model::Size;

/// Why files can't be a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BundleError {
    /// A file is larger than [`Bundle::FILE_BYTES_MAX`].
    #[error("{path} is {}; at most {} are allowed", Size(*bytes), Size(Bundle::FILE_BYTES_MAX))]
    FileTooLarge {
        /// The file.
        path: String,
        /// Its size.
        bytes: usize,
    },
    /// There are more than [`Bundle::FILES_MAX`] files.
    #[error("there are {files} definition files; at most {max} are allowed", max = Bundle::FILES_MAX)]
    TooManyFiles {
        /// How many there are.
        files: usize,
    },
    /// All files together are larger than [`Bundle::TOTAL_BYTES_MAX`].
    #[error(
        "the definition files are {} together; at most {} are allowed",
        Size(*bytes),
        Size(Bundle::TOTAL_BYTES_MAX)
    )]
    TooLarge {
        /// Their size.
        bytes: usize,
    },
    /// A path is not a plain relative path with forward slashes.
    #[error("`{path}` is not a relative path with forward slashes")]
    BadPath {
        /// The path, control characters replaced.
        path: String,
    },
    /// A path lies in more than [`Bundle::FOLDERS_MAX`] folders.
    #[error("{path} lies in more than {max} folders; move it up", max = Bundle::FOLDERS_MAX)]
    TooDeep {
        /// The file.
        path: String,
    },
    /// A path is that of another file but for upper and lower case, which some systems take for one.
    #[error("{path} and {other} differ only in upper and lower case; use one of them")]
    SameButForCase {
        /// The path.
        path: String,
        /// The other one.
        other: String,
    },
}

/// Paths and texts of the definition files, in order of their paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    files: BTreeMap<String, String>,
    /// The revision under which a store keeps it, where that is not its content alone.
    stored_as: Option<String>,
}

impl Bundle {
    /// The most bytes of one file: 10,000 topics of some 200 bytes.
    pub const FILE_BYTES_MAX: usize = 2 * 1024 * 1024;
    /// The most files.
    pub const FILES_MAX: usize = 2_000;
    /// The most bytes of all files: several times this is needed in memory, of a Worker's 128 MB.
    pub const TOTAL_BYTES_MAX: usize = 8 * 1024 * 1024;
    /// The most folders inside each other that are read; definitions are three levels deep.
    pub const FOLDERS_MAX: usize = 8;
    /// The most characters of a path.
    pub const PATH_CHARS_MAX: usize = 512;
    /// The characters of a revision: 48 bits tell more pushes apart than a stack ever sees.
    pub const REVISION_CHARS: usize = 12;

    /// Takes files by their paths, relative to the definitions' folder. Files for which
    /// [`Self::wants`] says no are left out, so that they don't change the revision.
    ///
    /// # Errors
    /// When a limit is broken or a path is not a plain relative one.
    pub fn new(files: BTreeMap<String, String>) -> Result<Self, BundleError> {
        let files: BTreeMap<_, _> = files
            .into_iter()
            .filter(|(path, _)| Self::wants(path))
            .collect();
        if files.len() > Self::FILES_MAX {
            return Err(BundleError::TooManyFiles { files: files.len() });
        }
        let mut total = 0;
        for (path, text) in &files {
            if !is_plain(path) {
                let path = path.chars().map(shown).take(80).collect();
                return Err(BundleError::BadPath { path });
            }
            if text.len() > Self::FILE_BYTES_MAX {
                return Err(BundleError::FileTooLarge {
                    path: path.clone(),
                    bytes: text.len(),
                });
            }
            total += text.len();
        }
        if total > Self::TOTAL_BYTES_MAX {
            return Err(BundleError::TooLarge { bytes: total });
        }
        Ok(Self {
            files,
            stored_as: None,
        })
    }

    /// Whether a path belongs to a bundle: YAML, and not hidden.
    #[must_use]
    pub fn wants(path: &str) -> bool {
        let hidden = path
            .split('/')
            .any(|part| part.starts_with('.') && part != "." && part != "..");
        !hidden && (path.ends_with(".yaml") || path.ends_with(".yml"))
    }

    /// The same files with one replaced, or added.
    ///
    /// # Errors
    /// As [`Self::new`], and when a new path is too deep or is another one's but for its case.
    pub fn with_file(&self, path: &str, text: &str) -> Result<Self, BundleError> {
        if path.matches('/').count() > Self::FOLDERS_MAX {
            let path = path.to_owned();
            return Err(BundleError::TooDeep { path });
        }
        let mut files = self.files.clone();
        if files.insert(path.to_owned(), text.to_owned()).is_none()
            && let Some((path, other)) = same_but_for_case(files.keys())
        {
            return Err(BundleError::SameButForCase { path, other });
        }
        Self::new(files)
    }

    /// The files, by path.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// The text of one file.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Its revision: the first [`Self::REVISION_CHARS`] hexadecimal digits of SHA-256 over all
    /// paths and texts, each preceded by its length so that no two bundles hash the same bytes. A
    /// bundle that was read from a store has the revision that it is stored under.
    #[must_use]
    pub fn revision(&self) -> String {
        match &self.stored_as {
            Some(revision) => revision.clone(),
            None => digits(self.hash()),
        }
    }

    /// The revision of content that is stored a second time, after something else: its hash
    /// includes the revision that it follows.
    #[must_use]
    pub fn revision_after(&self, follows: Option<&str>) -> String {
        let mut hash = self.hash();
        if let Some(follows) = follows {
            add(&mut hash, follows);
        }
        digits(hash)
    }

    /// The same files under the revision that a store keeps them under.
    #[must_use]
    pub fn stored_as(self, revision: String) -> Self {
        Self {
            stored_as: Some(revision),
            ..self
        }
    }

    fn hash(&self) -> Sha256 {
        let mut hash = Sha256::new();
        for part in self.files.iter().flat_map(|(path, text)| [path, text]) {
            add(&mut hash, part);
        }
        hash
    }
}

/// Two paths that are one where upper and lower case are alike, as on macOS and Windows.
pub fn same_but_for_case<'a>(
    paths: impl IntoIterator<Item = &'a String>,
) -> Option<(String, String)> {
    let mut known = BTreeMap::new();
    paths.into_iter().find_map(|path| {
        let other = known.insert(path.to_lowercase(), path)?;
        Some((path.clone(), other.clone()))
    })
}

fn add(hash: &mut Sha256, part: &str) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part.as_bytes());
}

fn digits(hash: Sha256) -> String {
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(Bundle::REVISION_CHARS);
    digits
}

fn is_plain(path: &str) -> bool {
    path.chars().count() <= Bundle::PATH_CHARS_MAX
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn shown(c: char) -> char {
    if c.is_control() { '?' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(files: &[(&str, &str)]) -> Result<Bundle, BundleError> {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Bundle::new(files.iter().map(owned).collect())
    }

    #[test]
    fn revision_follows_paths_and_texts_only() {
        let revision = |files: &[(&str, &str)]| set(files).unwrap().revision();
        let one = revision(&[("a.yaml", "x"), ("b.yaml", "y")]);
        assert_eq!(one.len(), 12);
        assert_eq!(
            one,
            revision(&[("b.yaml", "y"), ("a.yaml", "x"), ("schema/a.json", "z")])
        );
        assert_ne!(one, revision(&[("a.yaml", "xb.yaml"), ("b.yaml", "")]));
        assert_ne!(one, revision(&[("a.yaml", "x"), ("c.yaml", "y")]));
        assert_eq!(revision(&[]), "e3b0c44298fc");
        let again = set(&[("a.yaml", "x"), ("b.yaml", "y")]).unwrap();
        assert_eq!(again.revision_after(None), one);
        let later = again.revision_after(Some(&one));
        assert_ne!(later, one);
        assert_eq!(again.stored_as(later.clone()).revision(), later);
    }

    #[test]
    fn limits() {
        let big = "x".repeat(Bundle::FILE_BYTES_MAX);
        assert!(set(&[("a.yaml", &big)]).is_ok());
        let bigger = format!("{big}x");
        assert!(matches!(
            set(&[("a.yaml", &bigger)]),
            Err(BundleError::FileTooLarge { .. })
        ));
        let names = ["a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"];
        let many: Vec<_> = names.iter().map(|name| (*name, big.as_str())).collect();
        assert!(matches!(set(&many), Err(BundleError::TooLarge { .. })));
        let files = (0..=Bundle::FILES_MAX).map(|n| (format!("{n}.yaml"), String::new()));
        let error = Bundle::new(files.collect()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there are 2001 definition files; at most 2000 are allowed"
        );
    }

    #[test]
    fn one_file_is_replaced_or_added() {
        let both = set(&[("a.yaml", "x"), ("b/c.yaml", "y")]).unwrap();
        let replaced = both.with_file("b/c.yaml", "z").unwrap();
        assert_eq!(
            replaced,
            set(&[("a.yaml", "x"), ("b/c.yaml", "z")]).unwrap()
        );
        let stored = both.clone().stored_as("0123456789ab".to_owned());
        assert_eq!(stored.with_file("b/c.yaml", "z").unwrap(), replaced);
        let added = both.with_file("d.yaml", "z").unwrap();
        assert_eq!(added.files().len(), 3);
        let (deep, deeper) = ("1/2/3/4/5/6/7/8/a.yaml", "1/2/3/4/5/6/7/8/9/a.yaml");
        assert_eq!(both.with_file(deep, "").unwrap().files().len(), 3);
        let said = |path: &str| both.with_file(path, "").unwrap_err().to_string();
        assert_eq!(
            said(deeper),
            format!("{deeper} lies in more than 8 folders; move it up")
        );
        assert_eq!(
            said("B/C.yaml"),
            "b/c.yaml and B/C.yaml differ only in upper and lower case; use one of them"
        );
        // Where both are stored already, each may be replaced.
        let twins = set(&[("a.yaml", "x"), ("A.yaml", "y")]).unwrap();
        assert!(twins.with_file("A.yaml", "z").is_ok());
        assert!(twins.with_file("b.yaml", "z").is_err());
    }

    #[test]
    fn paths() {
        for bad in [
            "/a.yaml",
            "../a.yaml",
            "a//b.yaml",
            "a\\b.yaml",
            "a/./b.yaml",
            "a\n.yaml",
        ] {
            assert!(
                matches!(set(&[(bad, "")]), Err(BundleError::BadPath { .. })),
                "{bad:?}"
            );
        }
        for (path, wanted) in [
            ("a/b.yaml", true),
            ("b.yml", true),
            (".github/b.yaml", false),
            ("a/.b.yaml", false),
            ("README.md", false),
        ] {
            assert_eq!(Bundle::wants(path), wanted, "{path}");
        }
    }
}
