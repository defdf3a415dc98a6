//! Who has a stack, and taking the lease from a run that can't go on.

use kedge_core::model::StackName;

use super::Engine;
use crate::lease::{self, Holder, LeaseError, LeaseHolder};
use crate::ports::{Clock, Random, Store};
use crate::reconcile;

impl<P: Clock + Random, S: Store> Engine<'_, P, S> {
    /// Who has the lease of a stack; one that ended and was not released too.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn lease_holder(&self, stack: &StackName) -> Result<Option<LeaseHolder>, LeaseError> {
        lease::lease_holder_of(&self.store_of(stack), stack, self.settings.lease).await
    }

    /// Takes the lease from this holder and releases it. Nothing is begun under it any more.
    ///
    /// # Errors
    /// When another run has it now, or the store can't say.
    pub async fn unlock(&self, from: &LeaseHolder) -> Result<(), LeaseError> {
        self.may_unlock(&from.stack)?;
        let (by, times) = (self.holder(), self.settings.lease);
        lease::unlock(self.ports, &self.store_of(&from.stack), from, &by, times).await
    }

    /// Writes a lease over one that can't be read, and releases it.
    ///
    /// # Errors
    /// When it can be read and another run has it, a newer program wrote it, or the store can't say.
    pub async fn replace_lease(&self, stack: &StackName) -> Result<(), LeaseError> {
        self.may_unlock(stack)?;
        let (by, times) = (self.holder(), self.settings.lease);
        lease::replace(self.ports, &self.store_of(stack), stack, &by, times).await
    }

    /// Whether this shell may unlock at all; to be asked before a person is.
    ///
    /// # Errors
    /// In read-only mode.
    pub fn may_unlock(&self, stack: &StackName) -> Result<(), LeaseError> {
        match self.settings.read_only {
            true => Err(LeaseError::ReadOnly {
                stack: stack.clone(),
            }),
            false => Ok(()),
        }
    }

    fn holder(&self) -> Holder {
        Holder {
            actor: self.settings.actor.to_owned(),
            run: self.fresh_id(),
        }
    }

    /// An id that sorts by time and that nobody else has.
    #[must_use]
    pub fn fresh_id(&self) -> String {
        reconcile::fresh_id(self.ports)
    }
}
