//! Definitions that were put into the store with any S3 tool.

pub mod archive;

use kedge_core::model::StackName;
use kedge_engine::Engine;
use kedge_engine::ports::{ETag, Store, StoreError};

use crate::work::Work;

/// STUB
#[derive(Debug, Clone)]
pub struct Upload {
    pub stack: StackName,
    pub key: String,
    pub etag: String,
}
impl Upload {
    pub fn work(self) -> Work {
        Work::Upload {
            stack: self.stack,
            key: self.key,
            etag: self.etag,
        }
    }
}
/// STUB
pub fn open(_: &[(String, ETag)]) -> Vec<Upload> {
    Vec::new()
}
/// STUB
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error(transparent)]
    Store(#[from] StoreError),
}
