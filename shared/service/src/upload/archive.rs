//! Unpacks an archive of definitions. It comes from whoever may write to `upload/`, so nothing in it is
//! believed: neither names, nor sizes, nor what kind of entry something says it is.
//!
//! What it takes is bounded before it is unpacked, and by what really comes out of it. It keeps what a push of
//! the folder would take ([`Bundle::wants`]); a path that leads out of the archive is refused even where it is
//! not kept.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;
use kedge_core::definitions::{Bundle, same_but_for_case};
use kedge_core::model::Size;
use thiserror::Error;

use super::text::{NotText, text};

/// The most bytes of an archive. Definitions have at most 8 MiB, and text packs to less than half of its size.
/// A Worker has 128 MB for the archive, its list of entries, and several times what is in it.
pub const ARCHIVE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most entries of an archive, folders and files that are no definitions too: a whole checkout.
pub const ENTRIES_MAX: usize = 20_000;
/// The most bytes that an archive may unpack to, files that are no definitions too. A `.tar.gz` must be
/// unpacked as a whole to find what is in it.
pub const UNPACKED_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// An archive can't be used. Nothing of it is.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It is too large.
    #[error("the archive is {}; at most {} are allowed", Size(*bytes), Size(ARCHIVE_BYTES_MAX))]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It has too many entries.
    #[error("the archive has more than {ENTRIES_MAX} entries; pack the definitions folder alone")]
    TooManyEntries,
    /// It unpacks to too much.
    #[error(
        "the archive unpacks to more than {}; pack the definitions folder alone",
        Size(usize::try_from(UNPACKED_BYTES_MAX).unwrap_or(usize::MAX))
    )]
    UnpacksTooLarge,
    /// A file is too large.
    #[error(
        "`{path}` in the archive is larger than {}",
        Size(Bundle::FILE_BYTES_MAX)
    )]
    FileTooLarge {
        /// The file.
        path: String,
    },
    /// A path leads out of the archive, or is none that every system reads alike.
    #[error(
        "the archive has an entry `{path}`; names must be relative paths in UTF-8 with forward slashes, \
         without `..`"
    )]
    BadPath {
        /// The path, control characters replaced.
        path: String,
    },
    /// An entry is neither a file nor a folder.
    #[error("`{path}` in the archive is {what}; only files and folders are taken")]
    NotAFile {
        /// The entry.
        path: String,
        /// What it is: `a link`.
        what: &'static str,
    },
    /// A file lies too deep.
    #[error("`{path}` in the archive lies in more than {max} folders", max = Bundle::FOLDERS_MAX)]
    TooDeep {
        /// The file.
        path: String,
    },
    /// A file is encrypted.
    #[error("`{path}` in the archive is encrypted")]
    Encrypted {
        /// The file.
        path: String,
    },
    /// A file is not text.
    #[error("`{path}` in the archive is not text in UTF-8")]
    NotText {
        /// The file.
        path: String,
        /// Where not.
        #[source]
        at: NotText,
    },
    /// Two entries have the same path, so that readers may differ about which counts.
    #[error("`{path}` is in the archive twice")]
    Twice {
        /// The path.
        path: String,
    },
    /// Two paths are one on systems where upper and lower case are alike.
    #[error("`{path}` and `{other}` in the archive differ only in upper and lower case")]
    SameButForCase {
        /// One.
        path: String,
        /// The other.
        other: String,
    },
    /// Two entries of a `.zip` have the same name. Which, its reader does not say.
    #[error(
        "the archive has several entries of the same name, and tools differ about which counts; pack \
         it again"
    )]
    Ambiguous,
    /// There is no `kedge.yaml` in it.
    #[error("the archive has no kedge.yaml; pack the folder that has it")]
    NoProject,
    /// There is more than one, and none is above the others.
    #[error(
        "the archive has several kedge.yaml: `{first}` and `{second}`; pack one of the folders"
    )]
    SeveralProjects {
        /// One.
        first: String,
        /// Another.
        second: String,
    },
    /// It can't be read.
    #[error("the archive can't be read: {0}")]
    Unreadable(String),
}

/// The form of an archive, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `.zip`
    Zip,
    /// `.tar.gz` or `.tgz`
    TarGz,
}

impl Form {
    /// By the name of a file; none if that is no archive.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |end| name.ends_with(end);
        match () {
            () if ends(".zip") => Some(Self::Zip),
            () if ends(".tar.gz") || ends(".tgz") => Some(Self::TarGz),
            () => None,
        }
    }
}

/// The definition files of an archive, by their paths below the folder that has `kedge.yaml`.
///
/// # Errors
/// When a limit is broken, or something in it can't be taken.
pub fn unpack(form: Form, bytes: &[u8]) -> Result<BTreeMap<String, String>, ArchiveError> {
    if bytes.len() > ARCHIVE_BYTES_MAX {
        let bytes = bytes.len();
        return Err(ArchiveError::TooLarge { bytes });
    }
    let mut found = Found::default();
    match form {
        Form::Zip => zip(bytes, &mut found)?,
        Form::TarGz => tar_gz(bytes, &mut found)?,
    }
    found.below_project()
}

/// What was found so far.
#[derive(Default)]
struct Found {
    files: BTreeMap<String, String>,
    entries: usize,
}

impl Found {
    fn count(&mut self) -> Result<(), ArchiveError> {
        self.entries += 1;
        match self.entries > ENTRIES_MAX {
            true => Err(ArchiveError::TooManyEntries),
            false => Ok(()),
        }
    }

    /// Takes one file, if it belongs to definitions.
    fn take(&mut self, path: String, content: impl Read) -> Result<(), ArchiveError> {
        if !Bundle::wants(&path) {
            return Ok(());
        }
        let max = u64::try_from(Bundle::FILE_BYTES_MAX).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let read = content.take(max.saturating_add(1)).read_to_end(&mut bytes);
        let read = read.map_err(unreadable)?;
        if read > Bundle::FILE_BYTES_MAX {
            return Err(ArchiveError::FileTooLarge { path });
        }
        let text = match text(bytes) {
            Ok(text) => text,
            Err(at) => return Err(ArchiveError::NotText { path, at }),
        };
        match self.files.insert(path.clone(), text) {
            Some(_) => Err(ArchiveError::Twice { path }),
            None => Ok(()),
        }
    }

    /// The files below the folder that has `kedge.yaml`. One in a folder below it is a copy in a
    /// subfolder, and no project of its own.
    fn below_project(self) -> Result<BTreeMap<String, String>, ArchiveError> {
        let is_project = |path: &&String| path.rsplit('/').next() == Some("kedge.yaml");
        let depth = |path: &&String| path.matches('/').count();
        let projects = self.files.keys().filter(is_project);
        let Some(project) = projects.clone().min_by_key(depth) else {
            return Err(ArchiveError::NoProject);
        };
        let root = project
            .strip_suffix("kedge.yaml")
            .unwrap_or_default()
            .to_owned();
        if let Some(other) = projects.clone().find(|path| !path.starts_with(&root)) {
            return Err(ArchiveError::SeveralProjects {
                first: project.clone(),
                second: other.clone(),
            });
        }
        let below =
            |(path, text): (String, String)| Some((path.strip_prefix(&root)?.to_owned(), text));
        let files: BTreeMap<String, String> = self.files.into_iter().filter_map(below).collect();
        if let Some((path, other)) = same_but_for_case(files.keys()) {
            return Err(ArchiveError::SameButForCase { path, other });
        }
        let is_deep = |path: &&String| path.matches('/').count() > Bundle::FOLDERS_MAX;
        match files.keys().find(is_deep) {
            Some(path) => Err(ArchiveError::TooDeep { path: path.clone() }),
            None => Ok(files),
        }
    }
}

/// A path as definitions have it, without `./`; refused where it leads elsewhere.
fn plain(raw: &[u8]) -> Result<String, ArchiveError> {
    let refused = || ArchiveError::BadPath { path: shown(raw) };
    let text = std::str::from_utf8(raw).map_err(|_| refused())?;
    let mut parts = Vec::new();
    for part in text.strip_suffix('/').unwrap_or(text).split('/') {
        match part {
            "." => {}
            "" | ".." => return Err(refused()),
            _ => parts.push(part),
        }
    }
    let path = parts.join("/");
    let is_fine = !text.contains('\\')
        && !text.chars().any(char::is_control)
        && path.chars().count() <= Bundle::PATH_CHARS_MAX;
    is_fine.then_some(path).ok_or_else(refused)
}

/// A name as it may be shown.
fn shown(raw: &[u8]) -> String {
    const CHARS: usize = 80;
    let text = String::from_utf8_lossy(raw);
    let shown = |c: char| if c.is_control() { '\u{FFFD}' } else { c };
    text.chars().map(shown).take(CHARS).collect()
}

fn unreadable(error: impl ToString) -> ArchiveError {
    ArchiveError::Unreadable(error.to_string())
}

fn zip(bytes: &[u8], found: &mut Found) -> Result<(), ArchiveError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    if archive.len() > ENTRIES_MAX {
        return Err(ArchiveError::TooManyEntries);
    }
    let mut left = UNPACKED_BYTES_MAX;
    for number in 0..archive.len() {
        found.count()?;
        // The content is opened below, so that an encrypted one is said to be that.
        let entry = archive.by_index_raw(number).map_err(unreadable)?;
        let (path, is_file) = (plain(entry.name_raw())?, entry.is_file());
        if let Some(what) = special(entry.unix_mode()) {
            return Err(ArchiveError::NotAFile { path, what });
        }
        if entry.encrypted() {
            return Err(ArchiveError::Encrypted { path });
        }
        drop(entry);
        if !is_file {
            continue;
        }
        let content = archive.by_index(number).map_err(unreadable)?;
        let mut bounded = Bounded::new(content, left);
        let taken = found.take(path, &mut bounded);
        left = bounded.left;
        if bounded.is_exceeded {
            return Err(ArchiveError::UnpacksTooLarge);
        }
        taken?;
    }
    // The crate keeps one of several entries of the same name, and says so.
    match archive.has_duplicate_names() {
        true => Err(ArchiveError::Ambiguous),
        false => Ok(()),
    }
}

/// What the mode of a Unix system says that an entry is, if neither a file nor a folder. Other systems leave
/// the type out.
fn special(mode: Option<u32>) -> Option<&'static str> {
    const TYPE: u32 = 0o170_000;
    match mode.unwrap_or_default() & TYPE {
        0 | 0o100_000 | 0o040_000 => None,
        0o120_000 => Some("a link"),
        _ => Some("no file"),
    }
}

fn tar_gz(bytes: &[u8], found: &mut Found) -> Result<(), ArchiveError> {
    let mut bounded = Bounded::new(MultiGzDecoder::new(bytes), UNPACKED_BYTES_MAX);
    let taken = tar(&mut bounded, found);
    // The archive may end before the file does: the rest has the sum that shows damage.
    let taken = taken.and_then(|()| {
        std::io::copy(&mut bounded, &mut std::io::sink()).map_err(unreadable)?;
        Ok(())
    });
    match bounded.is_exceeded {
        true => Err(ArchiveError::UnpacksTooLarge),
        false => taken,
    }
}

fn tar(content: impl Read, found: &mut Found) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(content);
    for entry in archive.entries().map_err(unreadable)? {
        found.count()?;
        let entry = entry.map_err(unreadable)?;
        let kind = entry.header().entry_type();
        let what = match kind {
            _ if kind.is_file() || kind.is_dir() => None,
            // What tools write beside the files: names and times of the entries that follow.
            _ if kind.is_pax_global_extensions() => continue,
            _ if kind.is_symlink() || kind.is_hard_link() => Some("a link"),
            _ => Some("no file"),
        };
        let path = plain(&entry.path_bytes())?;
        if let Some(what) = what {
            return Err(ArchiveError::NotAFile { path, what });
        }
        if kind.is_file() {
            found.take(path, entry)?;
        }
    }
    Ok(())
}

/// Reads so many bytes, and then fails.
struct Bounded<R> {
    inner: R,
    left: u64,
    is_exceeded: bool,
}

impl<R> Bounded<R> {
    fn new(inner: R, left: u64) -> Self {
        Self {
            inner,
            left,
            is_exceeded: false,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let count = u64::try_from(read).unwrap_or(u64::MAX);
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => {
                self.is_exceeded = true;
                Err(std::io::Error::other("it unpacks to too much"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
