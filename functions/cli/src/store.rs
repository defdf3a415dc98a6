//! Which store is meant, and how that is known.

use std::path::{Path, PathBuf};

use kedge_adapters::Operations;
use kedge_core::definitions::{Bundle, bucket_of};
use kedge_core::model::{BUCKET_SCHEME, BucketAddress, BucketAddressError};
use kedge_engine::ports::{
    Attempts, Condition, Listed, PutOutcome, Store, StoreError, StoredObject,
};
use kedge_native::{FolderStore, HttpOptions, Settings};
use kedge_s3::{S3Options, S3Settings, S3Store};

use crate::args::Args;
use crate::error::CliError;

const FOLDER_SCHEME: &str = "file://";
const STORE: &str = "KEDGE_STORE";
const BUCKET: &str = "KEDGE_BUCKET";
/// The folder where nobody names a store.
const DEFAULT_FOLDER: &str = ".kedge/store";

/// Where state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Bucket(BucketAddress),
    Folder(PathBuf),
}

/// A place and how it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChosenStore {
    pub(crate) place: Place,
    pub(crate) origin: &'static str,
}

impl ChosenStore {
    /// Finds it: `--store`, `KEDGE_STORE`, `KEDGE_BUCKET`, `bucket:` in kedge.yaml, a folder here.
    pub(crate) fn of(args: &Args, settings: &Settings, bundle: &Bundle) -> Result<Self, CliError> {
        // What a variable holds is not repeated: it may be a secret that was put into the wrong one.
        let found = if let Some(text) = &args.store {
            let said = format!("`{text}`");
            (place(text)?.ok_or_else(|| no_store(&said))?, "--store")
        } else if let Some(text) = settings.get(STORE) {
            let found = place(text).ok().flatten();
            (found.ok_or_else(|| no_store(STORE))?, STORE)
        } else if let Some(text) = settings.get(BUCKET) {
            let bucket = text.parse().map_err(|error: BucketAddressError| {
                CliError::Usage(format!("{BUCKET} is not a bucket: {}", error.problem))
            })?;
            (Place::Bucket(bucket), BUCKET)
        } else if let Some(bucket) = bucket_of(bundle)? {
            (Place::Bucket(bucket), "kedge.yaml")
        } else {
            (Place::Folder(DEFAULT_FOLDER.into()), "default")
        };
        let (place, origin) = found;
        Ok(Self { place, origin })
    }

    /// Whether it is one that others use too.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.place, Place::Bucket(_))
    }

    /// Its address, and where it is from.
    pub(crate) fn describe(&self) -> String {
        let origin = self.origin;
        match &self.place {
            Place::Bucket(bucket) => format!("{bucket} (from {origin})"),
            Place::Folder(folder) => {
                format!("{FOLDER_SCHEME}{} (from {origin})", folder.display())
            }
        }
    }

    /// What is still missing to use it, in a sentence.
    pub(crate) fn lacks(&self, settings: &Settings) -> Option<String> {
        match &self.place {
            Place::Folder(_) => Some(
                "for several machines, name an R2 bucket in kedge.yaml: docs/store.md".to_owned(),
            ),
            Place::Bucket(_) => S3Settings::from_variables(|name| settings.get(name))
                .err()
                .map(|error| error.to_string()),
        }
    }

    /// Opens it. Only the default folder may be missing: a store that somebody names and that is not
    /// there must not look like a beginning. It is made, unless nothing may be changed here.
    pub(crate) fn open(
        &self,
        settings: &Settings,
        http: HttpOptions,
    ) -> Result<AnyStore, CliError> {
        match &self.place {
            Place::Bucket(bucket) => {
                let s3 = S3Settings::from_variables(|name| settings.get(name))?;
                let options = S3Options {
                    http,
                    ..S3Options::default()
                };
                let store = S3Store::new(bucket.clone(), s3, options)?;
                Ok(AnyStore::Bucket(Box::new(store)))
            }
            Place::Folder(folder) => {
                let opened = match (folder == Path::new(DEFAULT_FOLDER), http.read_only) {
                    (true, true) => Ok(FolderStore::read_only(folder)),
                    (true, false) => FolderStore::create(folder),
                    (false, _) => FolderStore::open(folder),
                };
                opened.map(AnyStore::Folder).map_err(CliError::Store)
            }
        }
    }
}

/// Reads an address; none if it has no scheme that is known.
fn place(text: &str) -> Result<Option<Place>, BucketAddressError> {
    if text.starts_with(BUCKET_SCHEME) {
        return Ok(Some(Place::Bucket(text.parse()?)));
    }
    let folder = text.strip_prefix(FOLDER_SCHEME);
    let folder = folder.filter(|folder| !folder.is_empty());
    Ok(folder.map(|folder| Place::Folder(folder.into())))
}

fn no_store(what: &str) -> CliError {
    CliError::Usage(format!(
        "{what} is not a store; write s3://BUCKET/PREFIX or file://FOLDER (file://./state is a \
         relative one)"
    ))
}

/// The store that was opened.
#[derive(Debug)]
pub(crate) enum AnyStore {
    Bucket(Box<S3Store>),
    Folder(FolderStore),
}

impl AnyStore {
    /// How often it was asked so far.
    pub(crate) fn operations(&self) -> Operations {
        match self {
            Self::Bucket(store) => store.operations(),
            Self::Folder(store) => store.operations(),
        }
    }
}

// Requests to a bucket are boxed: with the client below them they are deeper than the compiler follows.
impl Store for AnyStore {
    fn is_shared(&self) -> bool {
        match self {
            Self::Bucket(store) => store.is_shared(),
            Self::Folder(store) => store.is_shared(),
        }
    }

    async fn get_counting(
        &self,
        key: &str,
        attempts: &dyn Attempts,
    ) -> Result<Option<StoredObject>, StoreError> {
        match self {
            Self::Bucket(store) => Box::pin(store.get_counting(key, attempts)).await,
            Self::Folder(store) => store.get_counting(key, attempts).await,
        }
    }

    async fn put_counting(
        &self,
        key: &str,
        bytes: bytes::Bytes,
        condition: Condition,
        attempts: &dyn Attempts,
    ) -> Result<PutOutcome, StoreError> {
        match self {
            Self::Bucket(store) => {
                Box::pin(store.put_counting(key, bytes, condition, attempts)).await
            }
            Self::Folder(store) => store.put_counting(key, bytes, condition, attempts).await,
        }
    }

    async fn list_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Bucket(store) => Box::pin(store.list_counting(prefix, attempts)).await,
            Self::Folder(store) => store.list_counting(prefix, attempts).await,
        }
    }

    async fn versions_counting(
        &self,
        prefix: &str,
        attempts: &dyn Attempts,
    ) -> Result<Vec<Listed>, StoreError> {
        match self {
            Self::Bucket(store) => Box::pin(store.versions_counting(prefix, attempts)).await,
            Self::Folder(store) => store.versions_counting(prefix, attempts).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn who_names_the_store_first() {
        let empty = tempfile::tempdir().unwrap();
        let of = |flag: &str, variables: &[(&str, &str)], line: &str| {
            let args = Args::parse_from(
                ["kedge", "check"]
                    .into_iter()
                    .chain(flag.split_whitespace()),
            );
            let variables = variables
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            let settings = Settings::merge(variables, empty.path()).unwrap();
            let files = [("kedge.yaml".to_owned(), format!("project: acme\n{line}\n"))];
            let bundle = Bundle::new(files.into()).unwrap();
            ChosenStore::of(&args, &settings, &bundle).map(|chosen| chosen.describe())
        };
        let all = [("KEDGE_STORE", "s3://store/x"), ("KEDGE_BUCKET", "bucket")];
        let yaml = "bucket: yaml/y";
        for (flag, variables, line, told) in [
            (
                "--store file://here",
                &all[..],
                yaml,
                "file://here (from --store)",
            ),
            (
                "--store s3://flag",
                &all[..],
                yaml,
                "s3://flag (from --store)",
            ),
            ("", &all[..], yaml, "s3://store/x (from KEDGE_STORE)"),
            ("", &all[1..], yaml, "s3://bucket (from KEDGE_BUCKET)"),
            ("", &[], yaml, "s3://yaml/y (from kedge.yaml)"),
            ("", &[], "", "file://.kedge/store (from default)"),
        ] {
            assert_eq!(of(flag, variables, line).unwrap(), told);
        }
        for (flag, variables, line) in [
            ("--store state", &[][..], ""),
            ("--store file://", &[], ""),
            ("--store s3://", &[], ""),
            ("", &[("KEDGE_STORE", "bucket")], ""),
            ("", &[("KEDGE_BUCKET", "Bad Bucket")], yaml),
            ("", &[], "bucket: []"),
        ] {
            assert!(
                of(flag, variables, line).is_err(),
                "{flag} {variables:?} {line}"
            );
        }
    }
}
