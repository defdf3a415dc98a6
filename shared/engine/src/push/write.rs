//! The writes of a push, in order: the revision, the definitions that count, the registry.

use std::collections::BTreeSet;

use bytes::Bytes;
use kedge_core::definitions::Bundle;
use kedge_core::model::Declared;
use kedge_core::push::{Notice, names, record_sets};
use kedge_core::stored::bundle::{Pushed, StoredBundle};
use kedge_core::stored::index::{Entry, Index};

use super::{PushError, PushOutcome, PushReport, PushedBefore};
use crate::bundles::read_revision;
use crate::estimate::estimate;
use crate::keys::Keys;
use crate::ports::{Condition, PutOutcome, Store};
use crate::registry::{self, RegistryError};

/// The writes of one push.
pub(super) struct Write<'a, S> {
    pub(super) store: &'a S,
    pub(super) standing: &'a PushedBefore,
    pub(super) declared: &'a Declared,
}

impl<S: Store> Write<'_, S> {
    /// Writes a new revision and makes it the one that counts.
    pub(super) async fn revision(
        &self,
        bundle: &Bundle,
        pushed: Pushed,
        rollback_of: Option<String>,
    ) -> Result<StoredBundle, PushError> {
        let follows = self.standing.read.last.clone();
        let plain = bundle.revision_after(None);
        let later = bundle.revision_after(follows.as_deref());
        // A rollback is never the revision that it brings back.
        let names = match rollback_of {
            None => vec![plain, later],
            Some(_) => vec![later],
        };
        for revision in names {
            let stored = StoredBundle {
                stack: self.declared.stack.clone(),
                bundle: bundle.clone().stored_as(revision.clone()),
                follows: follows.clone(),
                pushed: pushed.clone(),
                rollback_of: rollback_of.clone(),
            };
            self.check_index(&stored)?;
            if self.write_revision(&stored).await? {
                self.write_definitions(&stored).await?;
                return Ok(stored);
            }
        }
        Err(PushError::Moved {
            stack: self.declared.stack.clone(),
        })
    }

    /// Checks that the registry has room for this stack, before anything is written.
    fn check_index(&self, stored: &StoredBundle) -> Result<(), PushError> {
        let mut index = self.standing.index.index.clone();
        let entry = self.entry(stored, &index);
        index.stacks.insert(stored.stack.clone(), entry);
        index.encode()?;
        Ok(())
    }

    /// Writes a revision; false if another has its name. The same that an interrupted push wrote
    /// before is as good.
    async fn write_revision(&self, stored: &StoredBundle) -> Result<bool, PushError> {
        let revision = stored.revision();
        let key = Keys::of(&stored.stack).revision(&revision);
        let bytes = Bytes::from(stored.encode()?);
        if let PutOutcome::Written(_) = self.store.put(&key, bytes, Condition::Absent).await? {
            return Ok(true);
        }
        let there = read_revision(self.store, &stored.stack, &revision).await?;
        Ok(there.is_some_and(|there| {
            there.follows == stored.follows
                && there.rollback_of == stored.rollback_of
                && there.bundle.files() == stored.bundle.files()
        }))
    }

    async fn write_definitions(&self, stored: &StoredBundle) -> Result<(), PushError> {
        let condition = match &self.standing.read.etag {
            Some(etag) => Condition::Is(etag.clone()),
            None => Condition::Absent,
        };
        let bytes = Bytes::from(stored.encode()?);
        let key = Keys::of(&stored.stack).definitions;
        match self.store.put(&key, bytes, condition).await? {
            PutOutcome::Written(_) => Ok(()),
            PutOutcome::Conflict => Err(PushError::Moved {
                stack: stored.stack.clone(),
            }),
        }
    }

    /// The content is stored already: writes what else is missing. `descends`: its commit is known to be a
    /// later one.
    pub(super) async fn same(
        &self,
        stored: &StoredBundle,
        pushed: Pushed,
        descends: bool,
    ) -> Result<(StoredBundle, PushOutcome), PushError> {
        if self.standing.read.fault.is_some() {
            if self.standing.read.last.as_ref() == Some(&stored.revision()) {
                self.write_definitions(stored).await?;
                return Ok((stored.clone(), PushOutcome::Healed));
            }
            let again = self.revision(&stored.bundle, pushed, None).await?;
            return Ok((again, PushOutcome::Stored));
        }
        // The same content begins a retired stack anew.
        if self.standing.is_retired(&stored.stack) {
            let again = self.revision(&stored.bundle, pushed, None).await?;
            return Ok((again, PushOutcome::Stored));
        }
        // A later commit with the same content counts too: what was between the two is older.
        let is_later = pushed.commit.is_some()
            && pushed.commit != stored.pushed.commit
            && (descends || stored.pushed.commit.is_none());
        if !is_later {
            return Ok((stored.clone(), PushOutcome::Unchanged));
        }
        let noted = StoredBundle {
            pushed: Pushed {
                commit: pushed.commit,
                branch: pushed.branch,
                ..stored.pushed.clone()
            },
            ..stored.clone()
        };
        self.write_definitions(&noted).await?;
        Ok((noted, PushOutcome::CommitNoted))
    }

    /// Updates the registry.
    pub(super) async fn finish(
        &self,
        stored: StoredBundle,
        outcome: PushOutcome,
        notices: Vec<Notice>,
    ) -> Result<PushReport, PushError> {
        let wrote = self.write_index(&stored).await?;
        let outcome = match outcome {
            PushOutcome::Unchanged if wrote => PushOutcome::Healed,
            outcome => outcome,
        };
        Ok(PushReport {
            stored,
            outcome,
            resources: self.declared.resources.len(),
            notices,
        })
    }

    /// What the registry is to say of this stack.
    fn entry(&self, stored: &StoredBundle, index: &Index) -> Entry {
        let listed = index.stacks.get(&stored.stack);
        let listed = listed.map(|entry| &entry.record_sets);
        let state = match &self.standing.state {
            Ok(state) => Ok(state.as_ref()),
            Err(_) => Err(()),
        };
        let none = BTreeSet::new();
        Entry {
            revision: stored.revision(),
            record_sets: record_sets(Some(self.declared), state, listed.unwrap_or(&none)),
            retired: false,
            check_every: self.declared.check_every,
            reads: estimate(self.declared, None).by_scope(),
        }
    }

    /// Writes the registry if it says something else of this stack; whether it was written.
    async fn write_index(&self, stored: &StoredBundle) -> Result<bool, PushError> {
        let stack = &stored.stack;
        let mut index = self.standing.index.index.clone();
        let mut etag = self.standing.index.etag.clone();
        let mut is_made = self.standing.index.made.is_some();
        for _ in 0..registry::TRIES_MAX {
            let refusals = names(self.declared, &index);
            if !refusals.is_empty() {
                let revision = stored.revision();
                return Err(PushError::TakenMeanwhile { revision, refusals });
            }
            let entry = self.entry(stored, &index);
            let listed = index.stacks.get(stack);
            if !is_made && listed.is_some_and(|listed| says_the_same(listed, &entry)) {
                return Ok(false);
            }
            index.stacks.insert(stack.clone(), entry);
            if registry::write(self.store, &index, etag).await? {
                return Ok(true);
            }
            let read = registry::read(self.store).await?;
            (index, etag, is_made) = (read.index, read.etag, read.made.is_some());
        }
        Err(RegistryError::Busy.into())
    }
}

/// Whether an entry says what it should. What a check takes is an estimate that changes with state: it is
/// written with the rest, and is no reason to write unless there is none yet.
fn says_the_same(listed: &Entry, entry: &Entry) -> bool {
    let has_estimate = !listed.reads.is_empty() || entry.reads.is_empty();
    let listed = Entry {
        reads: entry.reads.clone(),
        ..listed.clone()
    };
    has_estimate && listed == *entry
}
