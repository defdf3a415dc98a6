//! Definition files from a folder, and the schemas of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kedge_core::definitions::{Bundle, BundleError, json_schema_text, json_schemas};
use kedge_core::documents;

use crate::args::{Args, Format};
use crate::error::CliError;
use crate::{screen, setup};

/// Reads all definition files of a folder, but those in folders whose name begins with a dot. What
/// can't be read is an error: to pass it over would withdraw what it declares. Links to folders are
/// not followed: they could lead round in a circle.
pub(crate) fn load(folder: &Path) -> Result<Bundle, CliError> {
    if !folder.is_dir() {
        return Err(CliError::Usage(format!(
            "there is no folder of definitions at {}; run in the folder that has it, or name it \
             with --definitions",
            folder.display()
        )));
    }
    let mut files = BTreeMap::new();
    gather(folder, "", 0, &mut files)?;
    Ok(Bundle::new(files)?)
}

fn gather(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, String>,
) -> Result<(), CliError> {
    let read = |source| CliError::Read {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(read)?;
        let hidden = name.starts_with('.');
        let path = format!("{prefix}{name}");
        if Bundle::wants(&path) {
            let bytes = read_file(&entry.path(), &path)?;
            // What is not UTF-8 is no YAML either; the parser then says so with its place.
            files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        } else if kind.is_dir() && !hidden {
            if depth == Bundle::FOLDERS_MAX {
                return Err(CliError::Usage(format!(
                    "{path} lies in more than {} folders, and is not read; move it up",
                    Bundle::FOLDERS_MAX
                )));
            }
            gather(&entry.path(), &format!("{path}/"), depth + 1, files)?;
        } else if kind.is_symlink() && !hidden && entry.path().is_dir() {
            return Err(CliError::Usage(format!(
                "{path} is a link to a folder, and those are not followed; put the folder itself \
                 there, or a link to each file"
            )));
        }
    }
    Ok(())
}

/// The folder's path within its git repository, with forward slashes: what annotations name files
/// by. As it was given where there is no repository.
pub(crate) fn in_repository(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let root = whole
        .ancestors()
        .find(|ancestor| ancestor.join(".git").exists());
    let inner = root.and_then(|root| whole.strip_prefix(root).ok());
    inner.unwrap_or(folder).to_string_lossy().replace('\\', "/")
}

/// Reads one file, whose path in the set is `name`. Looks at it first: a pipe would wait for ever,
/// and a device or a wrong link may have no end.
fn read_file(file: &Path, name: &str) -> Result<Vec<u8>, CliError> {
    let read = |source| CliError::Read {
        path: file.to_owned(),
        source,
    };
    let about = fs::metadata(file).map_err(read)?;
    if !about.is_file() {
        return Err(CliError::Usage(format!("{} is not a file", file.display())));
    }
    let bytes = usize::try_from(about.len()).unwrap_or(usize::MAX);
    if bytes > Bundle::FILE_BYTES_MAX {
        let path = name.to_owned();
        return Err(BundleError::FileTooLarge { path, bytes }.into());
    }
    fs::read(file).map_err(read)
}

/// `kedge schema`.
pub(crate) fn schema(args: &Args, folder: Option<&Path>) -> Result<u8, CliError> {
    if folder.is_some() {
        setup::refuse_read_only()?;
    }
    let is_json = args.format() == Format::Json;
    let schemas = json_schemas();
    for (name, schema) in &schemas {
        let text = json_schema_text(schema);
        match folder {
            None if is_json => {}
            None => screen::out(&text)?,
            Some(folder) => {
                let path = folder.join(name);
                fs::write(&path, text).map_err(|source| CliError::Write { path, source })?;
            }
        }
    }
    if is_json {
        screen::document(&documents::schemas(schemas))?;
    }
    Ok(0)
}
