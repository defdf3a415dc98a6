//! Where a store is, and the store that is there: a bucket or a folder.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use kedge_adapters::Operations;
use kedge_core::model::{BUCKET_SCHEME, BucketAddress, BucketAddressError};
use kedge_engine::ports::{
    Attempts, Condition, Listed, PutOutcome, Store, StoreError, StoredObject,
};
use kedge_native::{FolderStore, NativeHttp, Settings};
use thiserror::Error;

use crate::settings::{S3Settings, S3SettingsError};
use crate::store::{S3Options, S3Store};

const FOLDER_SCHEME: &str = "file://";
const STORE: &str = "KEDGE_STORE";
const BUCKET: &str = "KEDGE_BUCKET";

/// Where state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a bucket.
    Bucket(BucketAddress),
    /// In a folder.
    Folder(PathBuf),
}

/// What names a store names none. Does not repeat what a variable holds: it may be a secret that was put into
/// the wrong one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlaceError {
    /// It has no scheme that is known.
    #[error(
        "{0} is not a store; write s3://BUCKET/PREFIX or file://FOLDER (file://./state is a relative one)"
    )]
    NoStore(String),
    /// It is no name of a bucket.
    #[error("{BUCKET} is not a bucket: {0}")]
    NoBucket(&'static str),
}

impl Place {
    /// Reads `s3://BUCKET/PREFIX` or `file://FOLDER`; none if it has neither scheme.
    ///
    /// # Errors
    /// When it is no address of a bucket.
    pub fn parse(text: &str) -> Result<Option<Self>, BucketAddressError> {
        if text.starts_with(BUCKET_SCHEME) {
            return Ok(Some(Self::Bucket(text.parse()?)));
        }
        let folder = text.strip_prefix(FOLDER_SCHEME);
        let folder = folder.filter(|folder| !folder.is_empty());
        Ok(folder.map(|folder| Self::Folder(folder.into())))
    }

    /// The one that `KEDGE_STORE` names, or else `KEDGE_BUCKET`, and which of them does.
    ///
    /// # Errors
    /// When what it holds names none.
    pub fn of_settings(settings: &Settings) -> Result<Option<(Self, &'static str)>, PlaceError> {
        if let Some(text) = settings.get(STORE) {
            let found = Self::parse(text).ok().flatten();
            let place = found.ok_or_else(|| PlaceError::NoStore(STORE.to_owned()))?;
            return Ok(Some((place, STORE)));
        }
        let Some(text) = settings.get(BUCKET) else {
            return Ok(None);
        };
        let bucket = text.parse();
        let bucket =
            bucket.map_err(|error: BucketAddressError| PlaceError::NoBucket(error.problem))?;
        Ok(Some((Self::Bucket(bucket), BUCKET)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(bucket) => write!(f, "{bucket}"),
            Self::Folder(folder) => write!(f, "{FOLDER_SCHEME}{}", folder.display()),
        }
    }
}

/// A store can't be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A setting of the bucket is missing or can't be used.
    #[error(transparent)]
    Bucket(#[from] S3SettingsError),
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] StoreError),
}

/// The store at a place.
#[derive(Debug)]
pub enum AnyStore {
    /// A bucket.
    Bucket(Box<S3Store>),
    /// A folder.
    Folder(FolderStore),
}

impl AnyStore {
    /// Opens the store at a place, which must be there: a store that somebody names and that is not there
    /// must not look like a beginning. A bucket is not asked yet.
    ///
    /// # Errors
    /// When a setting of the bucket is missing, or the folder.
    pub fn open(place: &Place, settings: &Settings, http: &NativeHttp) -> Result<Self, OpenError> {
        match place {
            Place::Bucket(bucket) => Ok(Self::bucket(bucket, settings, http)?),
            Place::Folder(folder) => Ok(Self::Folder(FolderStore::open(folder)?)),
        }
    }

    /// A bucket, which is not asked yet.
    ///
    /// # Errors
    /// When a setting of it is missing or can't be used.
    pub fn bucket(
        bucket: &BucketAddress,
        settings: &Settings,
        http: &NativeHttp,
    ) -> Result<Self, S3SettingsError> {
        let s3 = S3Settings::from_variables(|name| settings.get(name))?;
        let store = S3Store::new(bucket.clone(), s3, http, S3Options::default());
        Ok(Self::Bucket(Box::new(store)))
    }

    /// How often it was asked so far.
    #[must_use]
    pub fn operations(&self) -> Operations {
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
        bytes: Bytes,
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
