//! All that a shell calls. A shell hands in ports, a store and [`Settings`], and turns what comes back
//! into an exit code, an HTTP answer or a message; it decides nothing.
//!
//! Every safety rule is behind this file: read-only mode, definitions that can't be used, the name that
//! retires a stack, consent, holds and their limits, the lease.

mod leases;
mod run;
mod runs;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};

use kedge_core::model::{ResourceKey, StackName};
use kedge_core::stored::hold::Holds;

use crate::budget::{Budget, Gated, Reserve};
use crate::bundles::{self, ReadBundle};
use crate::consent::{Authorisation, By};
use crate::grants::{self, Agreement};
use crate::group::{Group, Seat};
use crate::holds::{self, HoldError, HoldRequest, ReleaseRequest, Released};
use crate::job::{Job, Purpose, RunError};
use crate::lease::{LeaseError, LeaseHolder};
use crate::outcome::{Applied, Checked, GroupCheck, Ran};
use crate::ports::{Clock, Random, ReadPorts, Store, StoreError, WritePorts};
use crate::push::{self, PushError, PushReport, PushRequest};
use crate::reconcile;
use crate::settings::{CheckRequest, Definitions, Settings};
use crate::state_command::StateCommand;

use self::run::Run;

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
            tally: None,
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
        let run = Run::begin(self, stack, purpose.verb());
        let job = Job {
            every_dns_name: options.every_dns_name,
            seat,
            tally: Some(run.tally()),
            ..self.job(stack, purpose)
        };
        let store = self.store_of(stack);
        let check = reconcile::check(self.ports, &store, job, &options.guards);
        run.check(Box::pin(check)).await
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
        let run = Run::begin(&engine, stack, Purpose::Change.verb());
        let job = Job {
            tally: Some(run.tally()),
            ..engine.job(stack, Purpose::Change)
        };
        let store = engine.store_of(stack);
        let dry_run = reconcile::dry_run(engine.ports, &store, job, command);
        run.check(Box::pin(dry_run)).await
    }
}

/// Changes at providers, and of what is recorded.
impl<P: WritePorts, S: Store> Engine<'_, P, S> {
    /// Makes a stack what its definitions say, as far as this authority allows.
    pub async fn apply(&self, stack: &StackName, by: &By) -> Applied {
        let run = Run::begin(self, stack, "up");
        run.apply(Box::pin(self.apply_by(stack, by, &run))).await
    }

    async fn apply_by(
        &self,
        stack: &StackName,
        by: &By,
        run: &Run<'_, P>,
    ) -> Result<Ran, RunError> {
        self.may_change()?;
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
                let grant = grants::read(&self.store_of(stack), stack, id).await?;
                Authorisation::Person(grant.into_consent())
            }
        };
        self.reconcile(stack, &authorisation, run).await
    }

    async fn reconcile(
        &self,
        stack: &StackName,
        authorisation: &Authorisation,
        run: &Run<'_, P>,
    ) -> Result<Ran, RunError> {
        let budget = self.settings.budget.for_operation(Reserve::Up, 1);
        let mut engine = self.with(&budget);
        engine.settings.run = Some(run.id());
        let job = Job {
            tally: Some(run.tally()),
            ..engine.job(stack, Purpose::Change)
        };
        let store = engine.store_of(stack);
        Box::pin(reconcile::apply(engine.ports, &store, job, authorisation)).await
    }

    /// Carries out a command about state. `confirmed` is the stack's name as a person gave it; only
    /// `retire` needs it.
    pub async fn command(
        &self,
        stack: &StackName,
        command: &StateCommand,
        confirmed: Option<&str>,
    ) -> Applied {
        let run = Run::begin(self, stack, command.verb());
        run.apply(self.command_by(stack, command, confirmed, &run))
            .await
    }

    async fn command_by(
        &self,
        stack: &StackName,
        command: &StateCommand,
        confirmed: Option<&str>,
        run: &Run<'_, P>,
    ) -> Result<Ran, RunError> {
        let is_confirmed = confirmed == Some(stack.as_str());
        if matches!(command, StateCommand::Retire { .. }) && !is_confirmed {
            return Err(RunError::NotConfirmed {
                stack: stack.clone(),
                given: confirmed.unwrap_or_default().to_owned(),
            });
        }
        self.may_change()?;
        let by = Authorisation::Command(command.clone());
        self.reconcile(stack, &by, run).await
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
