//! Which store is meant, and how that is known.

use std::path::Path;

use kedge_core::definitions::{Bundle, bucket_of};
use kedge_native::{FolderStore, HttpBuildError, NativeHttp, Settings};
use kedge_s3::{AnyStore, Place, PlaceError, S3Settings};

use crate::args::Args;
use crate::error::CliError;

/// The folder where nobody names a store.
const DEFAULT_FOLDER: &str = ".kedge/store";

/// A place and how it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChosenStore {
    pub(crate) place: Place,
    pub(crate) origin: &'static str,
}

impl ChosenStore {
    /// Finds it: `--store`, `KEDGE_STORE`, `KEDGE_BUCKET`, `bucket:` in kedge.yaml, a folder here.
    pub(crate) fn of(args: &Args, settings: &Settings, bundle: &Bundle) -> Result<Self, CliError> {
        let usage = |error: PlaceError| CliError::Usage(error.to_string());
        let found = if let Some(text) = &args.store {
            let none = || usage(PlaceError::NoStore(format!("`{text}`")));
            (Place::parse(text)?.ok_or_else(none)?, "--store")
        } else if let Some(found) = Place::of_settings(settings).map_err(usage)? {
            found
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
        format!("{} (from {})", self.place, self.origin)
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
    /// there must not look like a beginning. It is made, unless nothing may be changed here. Only a bucket
    /// needs an HTTP client: the one that providers are asked by.
    pub(crate) fn open(
        &self,
        settings: &Settings,
        read_only: bool,
        http: impl FnOnce() -> Result<NativeHttp, HttpBuildError>,
    ) -> Result<AnyStore, CliError> {
        match &self.place {
            Place::Bucket(bucket) => Ok(AnyStore::bucket(bucket, settings, &http()?)?),
            Place::Folder(folder) => {
                let opened = match (folder == Path::new(DEFAULT_FOLDER), read_only) {
                    (true, true) => Ok(FolderStore::read_only(folder)),
                    (true, false) => FolderStore::create(folder),
                    (false, _) => FolderStore::open(folder),
                };
                opened.map(AnyStore::Folder).map_err(CliError::Store)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn who_names_the_store_first() {
        let of = |flag: &str, variables: &[(&str, &str)], line: &str| {
            let args = Args::parse_from(
                ["kedge", "check"]
                    .into_iter()
                    .chain(flag.split_whitespace()),
            );
            let variables = variables
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            let settings = Settings::of(variables);
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
