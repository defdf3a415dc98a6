//! One write of a lease that we hold, and finding out what became of it.

use bytes::Bytes;
use kedge_core::model::StackName;
use kedge_core::stored::lease as stored;

use super::{Lease, LeaseError};
use crate::keys::Keys;
use crate::ports::{Clock, Condition, ETag, PutOutcome, Random, Store, StoreError};

/// The lease as we last wrote it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) lease: stored::Lease,
    pub(super) etag: ETag,
}

impl<P: Clock + Random, S: Store> Lease<'_, P, S> {
    /// Writes the lease as it is in `written`, and finds out what became of it.
    pub(super) async fn write(&self, written: &mut Written) -> Result<Wrote, LeaseError> {
        let bytes = Bytes::from(written.lease.encode()?);
        let condition = Condition::Is(written.etag.clone());
        let problem = match self.store.put(&self.key, bytes, condition).await {
            Ok(PutOutcome::Written(version)) => {
                written.etag = version.etag;
                let now = self.ports.monotonic_ms();
                self.store_time.set((version.written_at, now));
                return Ok(Wrote::Ours);
            }
            Ok(PutOutcome::Conflict) => None,
            Err(source) => Some(source),
        };
        let stack = &self.stack;
        let object = match self.store.get(&self.key).await {
            Ok(object) => object,
            Err(source) => return Ok(Wrote::Unknown(source)),
        };
        let Some(object) = object else {
            return Err(self.lost("an unknown run: lease.json is gone".to_owned()));
        };
        let found = match stored::Lease::decode(&object.bytes, stack) {
            Ok(found) => found,
            Err(source) => {
                self.permit.end("the lease can't be read");
                let stack = stack.clone();
                return Err(LeaseError::Decode { stack, source });
            }
        };
        if found.nonce != written.lease.nonce {
            return Err(self.lost(format!("{} (run {})", found.actor, found.run)));
        }
        written.etag = object.etag;
        self.store_time
            .set((object.written_at, self.ports.monotonic_ms()));
        Ok(match (found == written.lease, problem) {
            (true, _) => Wrote::Ours,
            (false, None) => Wrote::Earlier,
            (false, Some(source)) => Wrote::Unknown(source),
        })
    }

    fn lost(&self, by: String) -> LeaseError {
        let stack = self.stack.clone();
        let error = LeaseError::Lost { stack, by };
        self.permit.end(&error.to_string());
        error
    }

    pub(super) fn failed(&self, problem: Option<StoreError>) -> LeaseError {
        not_written(&self.stack, problem)
    }
}

/// What became of a write of the lease.
#[derive(Debug)]
pub(super) enum Wrote {
    /// It is what the store has.
    Ours,
    /// The store has an earlier write of ours.
    Earlier,
    /// It was not made, or nobody can say whether it was.
    Unknown(StoreError),
}

/// Every attempt to write the lease failed: by the store's last problem, or since others wrote it each time.
pub(super) fn not_written(stack: &StackName, problem: Option<StoreError>) -> LeaseError {
    let outrun = || StoreError::Write {
        key: Keys::of(stack).lease,
        reason: "other runs kept writing lease.json".to_owned(),
    };
    LeaseError::Store {
        stack: stack.clone(),
        source: problem.unwrap_or_else(outrun),
    }
}
