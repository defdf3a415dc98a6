//! All that a shell calls. A shell hands in ports, a store and [`Settings`], and turns what comes back
//! into an exit code, an HTTP answer or a message; it decides nothing.
//!
//! Every safety rule is behind this file: read-only mode, definitions that can't be used, the name that
//! retires a stack, consent, holds and their limits, the lease.

mod schedule;

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::model::{ResourceKey, StackName, Timestamp};
use kedge_core::stored::hold::Holds;
use kedge_core::stored::run::RunRecord;

use crate::budget::{Budget, Gated, Reserve};
use crate::bundles::{self, ReadBundle};
use crate::consent::{Authorisation, By};
use crate::grants::{self, Agreement};
use crate::group::{Group, Seat};
use crate::history::{self, History, Query};
use crate::holds::{self, HoldError, HoldRequest, ReleaseRequest, Released};
use crate::job::{Job, Purpose, RunError};
use crate::lease::{self, Holder, LeaseError, LeaseHolder};
use crate::outcome::{Applied, Checked, GroupCheck, Ran};
use crate::ports::{Clock, Random, ReadPorts, Store, StoreError, WritePorts};
use crate::push::{self, PushError, PushReport, PushRequest};
use crate::reconcile;
use crate::settings::{CheckRequest, Definitions, Settings};
use crate::state_command::StateCommand;

/// The engine, for one invocation of a shell.
pub struct Engine<'a, P, S> {
    /// Where requests, time and randomness come from.
    pub ports: &'a P,
    /// Where state and definitions are kept.
    pub store: &'a S,
    /// What the shell hands in.
    pub settings: Settings<'a>,
}

impl<P, S> Clone for Engine<'_, P, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, S> Copy for Engine<'_, P, S> {}

impl<'a, P, S> Engine<'a, P, S> {
    /// The engine over these ports and this store.
    pub fn new(ports: &'a P, store: &'a S, settings: Settings<'a>) -> Self {
        Self {
            ports,
            store,
            settings,
        }
    }

    // The futures of runs are boxed here: they are large, and shells stand on small stacks.
    fn job<'b>(&'b self, stack: &'b StackName, purpose: Purpose) -> Job<'b> {
        Job {
            stack,
            settings: &self.settings,
            purpose,
            every_dns_name: false,
            seat: None,
        }
    }

    /// The store for what is about a stack. Everything here goes through it, so that each request is
    /// counted and waits for its turn.
    fn store_of<'b>(&'b self, stack: &StackName) -> Gated<'b, S> {
        self.settings.budget.gated(self.store, Some(stack))
    }

    /// The same for one operation on so many stacks, with what it holds back of the budget.
    fn with<'b>(&'b self, budget: &'b Budget) -> Engine<'b, P, S> {
        let settings = Settings {
            budget,
            ..self.settings
        };
        Engine::new(self.ports, self.store, settings)
    }
}

impl<P, S: Store> Engine<'_, P, S> {
    /// Whether anything may be changed, by these definitions.
    fn may_change(&self) -> Result<(), RunError> {
        if self.settings.read_only {
            return Err(RunError::ReadOnly);
        }
        match self.settings.definitions {
            Definitions::Files(_) if self.store.is_shared() => Err(RunError::NotStored),
            Definitions::Stored | Definitions::Files(_) => Ok(()),
        }
    }
}

/// Checks. They change nothing but what checks remember.
impl<P: ReadPorts, S: Store> Engine<'_, P, S> {
    /// Says what differs, and what automation would do about it.
    ///
    /// # Errors
    /// When definitions or state can't be used. What could not be read from a provider is no error: it
    /// is unknown in the report.
    pub async fn check(
        &self,
        stack: &StackName,
        options: &CheckRequest,
    ) -> Result<Checked, RunError> {
        let budget = self.settings.budget.for_operation(Reserve::Check, 1);
        self.with(&budget)
            .look(stack, Purpose::Check, options, None)
            .await
    }

    async fn look<'b>(
        &'b self,
        stack: &'b StackName,
        purpose: Purpose,
        options: &CheckRequest,
        seat: Option<&'b Seat<'b>>,
    ) -> Result<Checked, RunError> {
        let job = Job {
            every_dns_name: options.every_dns_name,
            seat,
            ..self.job(stack, purpose)
        };
        Box::pin(reconcile::check(
            self.ports,
            &self.store_of(stack),
            job,
            &options.guards,
        ))
        .await
    }

    /// The same, before a person is asked for consent: refused where [`Engine::apply`] would be.
    ///
    /// # Errors
    /// As [`Engine::check`]; and when nothing may be changed from here, or by these definitions.
    pub async fn plan(
        &self,
        stack: &StackName,
        options: &CheckRequest,
    ) -> Result<Checked, RunError> {
        self.may_change()?;
        let budget = self.settings.budget.for_operation(Reserve::Check, 1);
        self.with(&budget)
            .look(stack, Purpose::Change, options, None)
            .await
    }

    /// Checks several stacks side by side. What they share at a provider is read once for all of them
    /// (semantics 3.5); what one of them fails at says nothing of the others. Where requests do not reach for
    /// all, they are promised in the order of `stacks`.
    pub async fn check_group(&self, stacks: &[StackName], options: &CheckRequest) -> GroupCheck {
        let budget = self.settings.budget;
        let budget = budget.for_operation(Reserve::Check, stacks.len());
        let engine = &self.with(&budget);
        let group = &Group::of(stacks.len());
        let checks: Vec<_> = stacks
            .iter()
            .enumerate()
            .map(|(number, stack)| async move {
                let seat = group.seat(number);
                let check = engine.look(stack, Purpose::Check, options, Some(&seat));
                (stack.clone(), Box::pin(check).await)
            })
            .collect();
        let checks = futures_util::future::join_all(checks).await;
        GroupCheck {
            checks: checks.into_iter().collect::<BTreeMap<_, _>>(),
        }
    }

    /// Shows what a command about state would do. Changes nothing.
    ///
    /// # Errors
    /// As [`Engine::plan`]; and where the command makes no sense.
    pub async fn dry_run(
        &self,
        stack: &StackName,
        command: &StateCommand,
    ) -> Result<Checked, RunError> {
        self.may_change()?;
        let budget = self.settings.budget.for_operation(Reserve::Check, 1);
        let engine = self.with(&budget);
        let job = engine.job(stack, Purpose::Change);
        Box::pin(reconcile::dry_run(
            engine.ports,
            &engine.store_of(stack),
            job,
            command,
        ))
        .await
    }
}

/// Changes at providers, and of what is recorded.
impl<P: WritePorts, S: Store> Engine<'_, P, S> {
    /// Makes a stack what its definitions say, as far as this authority allows.
    pub async fn apply(&self, stack: &StackName, by: &By) -> Applied {
        Applied::of(Box::pin(self.apply_by(stack, by)).await)
    }

    async fn apply_by(&self, stack: &StackName, by: &By) -> Result<Ran, RunError> {
        self.may_change()?;
        let budget = self.settings.budget.for_operation(Reserve::Up, 1);
        let engine = self.with(&budget);
        let authorisation = match by {
            By::Policy => Authorisation::Unattended,
            By::Person(consent) => {
                if let Some(typed) = consent.typed_for_another(stack) {
                    return Err(RunError::NotConfirmed {
                        stack: stack.clone(),
                        given: typed.to_string(),
                    });
                }
                Authorisation::Person(consent.clone())
            }
            By::Grant(id) => {
                let grant = grants::read(&engine.store_of(stack), stack, id).await?;
                Authorisation::Person(grant.into_consent())
            }
        };
        let job = engine.job(stack, Purpose::Change);
        Box::pin(reconcile::apply(
            engine.ports,
            &engine.store_of(stack),
            job,
            &authorisation,
        ))
        .await
    }

    /// Carries out a command about state. `confirmed` is the stack's name as a person gave it; only
    /// `retire` needs it.
    pub async fn command(
        &self,
        stack: &StackName,
        command: &StateCommand,
        confirmed: Option<&str>,
    ) -> Applied {
        let is_confirmed = confirmed == Some(stack.as_str());
        if matches!(command, StateCommand::Retire { .. }) && !is_confirmed {
            return Applied::Failed(RunError::NotConfirmed {
                stack: stack.clone(),
                given: confirmed.unwrap_or_default().to_owned(),
            });
        }
        if let Err(error) = self.may_change() {
            return Applied::Failed(error);
        }
        let budget = self.settings.budget.for_operation(Reserve::Up, 1);
        let engine = self.with(&budget);
        let by = Authorisation::Command(command.clone());
        let job = engine.job(stack, Purpose::Change);
        Applied::of(
            Box::pin(reconcile::apply(
                engine.ports,
                &engine.store_of(stack),
                job,
                &by,
            ))
            .await,
        )
    }
}

/// What needs no provider.
impl<P: Clock + Random, S: Store> Engine<'_, P, S> {
    /// Finds the resources that a person named among those that are declared or recorded.
    ///
    /// # Errors
    /// When definitions or state can't be used, or a name fits nothing, or several things.
    pub async fn resolve_keys(
        &self,
        stack: &StackName,
        names: &[String],
    ) -> Result<BTreeSet<ResourceKey>, RunError> {
        let job = self.job(stack, Purpose::Check);
        reconcile::resolve_keys(self.ports, &self.store_of(stack), job, names).await
    }

    /// Stores somebody's consent for a later run, which uses it by [`By::Grant`]. It lasts an hour.
    ///
    /// # Errors
    /// When nothing may be changed from here, or it can't be kept.
    pub async fn grant(&self, stack: &StackName, to: Agreement) -> Result<String, RunError> {
        self.may_change()?;
        let id = reconcile::run_id(self.ports, &self.settings);
        let (actor, now) = (self.settings.actor, self.ports.now());
        Ok(grants::give(&self.store_of(stack), stack, id, actor, to, now).await?)
    }

    /// Holds a stack, or resources of it, until a time (semantics 6.8). What others hold stays. Gives
    /// back all holds.
    ///
    /// # Errors
    /// When the request is beyond the limits of a hold, or would end the person's own earlier, or holds
    /// can't be read or written.
    pub async fn hold(&self, stack: &StackName, request: &HoldRequest) -> Result<Holds, HoldError> {
        if self.settings.read_only {
            return Err(HoldError::ReadOnly);
        }
        let (now, actor) = (self.ports.now(), self.settings.actor);
        holds::hold(&self.store_of(stack), stack, request, actor, now).await
    }

    /// Releases holds, whoever set them. Gives back those that are left, and those that were released.
    ///
    /// # Errors
    /// When they can't be read or written.
    pub async fn release(
        &self,
        stack: &StackName,
        request: &ReleaseRequest,
    ) -> Result<Released, HoldError> {
        if self.settings.read_only {
            return Err(HoldError::ReadOnly);
        }
        holds::release(&self.store_of(stack), stack, request, self.ports.now()).await
    }

    /// The holds of a stack, those that ended too.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn holds(&self, stack: &StackName) -> Result<Holds, HoldError> {
        holds::holds(&self.store_of(stack), stack).await
    }

    /// The run that may begin changes without knowing of a hold that was set before this call.
    ///
    /// # Errors
    /// When the lease can't be read.
    pub async fn unaware_of_holds(
        &self,
        stack: &StackName,
    ) -> Result<Option<LeaseHolder>, LeaseError> {
        holds::under_way(&self.store_of(stack), stack, self.settings.lease).await
    }

    /// Waits until such a run knows of the holds, or ended. Says whether it ended.
    ///
    /// # Errors
    /// When the lease can't be read.
    pub async fn await_hold(&self, holder: &LeaseHolder) -> Result<bool, LeaseError> {
        holds::wait_for(
            self.ports,
            &self.store_of(&holder.stack),
            holder,
            self.settings.lease,
        )
        .await
    }

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
    fn fresh_id(&self) -> String {
        reconcile::fresh_id(self.ports)
    }

    /// Stores definitions, which count from then on.
    ///
    /// # Errors
    /// Everything that refuses them, at once; nothing is stored then.
    pub async fn push(
        &self,
        stack: &StackName,
        request: PushRequest<'_>,
    ) -> Result<PushReport, PushError> {
        if self.settings.read_only {
            return Err(PushError::ReadOnly);
        }
        push::push(
            self.ports,
            &self.store_of(stack),
            stack,
            &self.settings,
            request,
        )
        .await
    }

    /// Stores the content of an older revision again, as a new one. `revision` may be its first
    /// characters.
    ///
    /// # Errors
    /// As [`Engine::push`], and where there is no such revision.
    pub async fn rollback(
        &self,
        stack: &StackName,
        revision: &str,
    ) -> Result<PushReport, PushError> {
        if self.settings.read_only {
            return Err(PushError::ReadOnly);
        }
        push::rollback(
            self.ports,
            &self.store_of(stack),
            stack,
            &self.settings,
            revision,
        )
        .await
    }

    /// Pushes and runs of a stack, newest first.
    ///
    /// # Errors
    /// When the store can't say.
    pub async fn history(&self, stack: &StackName, query: &Query) -> Result<History, StoreError> {
        history::history(&self.store_of(stack), stack, query).await
    }

    /// The record of a run; none if there is none, or it can't be read.
    ///
    /// # Errors
    /// When the store can't say.
    pub async fn run_record(
        &self,
        stack: &StackName,
        run: &str,
    ) -> Result<Option<RunRecord>, StoreError> {
        history::run_record(&self.store_of(stack), stack, run).await
    }

    /// Waits for the record of a run that followed this revision, until a time. None if none came.
    ///
    /// # Errors
    /// When the store can't say.
    pub async fn await_run(
        &self,
        stack: &StackName,
        revision: &str,
        until: Timestamp,
    ) -> Result<Option<RunRecord>, StoreError> {
        history::await_run(self.ports, &self.store_of(stack), stack, revision, until).await
    }

    /// Whether anything is stored of a stack.
    ///
    /// # Errors
    /// When the store can't say.
    pub async fn is_known(&self, stack: &StackName) -> Result<bool, StoreError> {
        bundles::is_known(&self.store_of(stack), stack).await
    }

    /// The stacks that were pushed, as far as the registry can be read.
    ///
    /// # Errors
    /// When the store can't say.
    pub async fn pushed_stacks(&self) -> Result<Vec<StackName>, StoreError> {
        bundles::pushed_stacks(&self.settings.budget.gated(self.store, None)).await
    }

    /// Reads the stored definitions of a stack.
    ///
    /// # Errors
    /// When the store can't say.
    pub async fn stored(&self, stack: &StackName) -> Result<ReadBundle, StoreError> {
        bundles::read_bundle(&self.store_of(stack), stack, self.settings.overrides).await
    }
}
