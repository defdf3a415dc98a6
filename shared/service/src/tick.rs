//! A schedule's turn: what is due becomes work in the queue.
//!
//! A tick believes nothing but the store. It sends checks that are due, definitions that nobody deployed
//! yet, uploads without an answer and run requests without one; so whatever a queue lost comes again. Only
//! then does it note what it sent. A tick that is cut off before that sends the same again, and equal work
//! changes nothing twice.

use std::collections::BTreeMap;

use futures_util::future::join3;
use kedge_core::model::Timestamp;
use kedge_core::providers::ProviderName;
use kedge_engine::ports::{Clock, Random, Store, StoreError};
use kedge_engine::{DueGroup, DueScope, DueWork, Engine, ScheduleError, TooFewConnections};
use thiserror::Error;

use crate::queue::{Queue, QueueError};
use crate::requests::{self, OpenRequest};
use crate::service::{Requester, Service};
use crate::upload::{self, Upload};
use crate::work::Work;

/// Ticks within this time are one: a platform may call twice. In milliseconds.
const SLOT_MS: i64 = 60 * 1000;
const MINUTE_MS: u64 = 60_000;
/// How far ahead an account is booked at most, in milliseconds: as long as stacks are checked by default. What
/// is beyond that asks too much of the account at all times, and its refusals are waited out.
const BOOKED_MS_MAX: i64 = 15 * 60 * 1000;
/// Groups begin within this time of each other, so that they don't ask everything at once.
const JITTER_MS: u64 = 5_000;

/// A tick could not do all of its work. The next one makes up for it.
#[derive(Debug, Error)]
pub enum TickError {
    /// What is due could not be read.
    #[error("what is due could not be read")]
    Schedule(#[from] ScheduleError),
    /// What was sent could not be noted, so the next tick sends it again.
    #[error("what was sent could not be noted")]
    Keep(#[source] ScheduleError),
    /// Uploads or run requests could not be listed.
    #[error("uploads and run requests could not be listed")]
    Store(#[from] StoreError),
    /// The queue did not take work.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The shell gave it too few connections.
    #[error(transparent)]
    Connections(#[from] TooFewConnections),
}

/// What a tick sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticked {
    /// Stacks in use.
    pub stacks: usize,
    /// Stacks to check.
    pub checks: usize,
    /// Messages for that.
    pub groups: usize,
    /// Stacks with new definitions.
    pub applies: usize,
    /// Uploads without an answer.
    pub uploads: usize,
    /// Run requests without an answer.
    pub requests: usize,
}

impl<P: Clock + Random, S: Store, Q: Queue> Service<'_, P, S, Q> {
    /// Sends what is due. [`DueScope::All`] is for a process that starts: its queue was empty. In read-only
    /// mode it checks all stacks and sends nothing else: whoever may write deploys, takes over and answers.
    ///
    /// # Errors
    /// When the store or the queue fails. What was sent before stays sent.
    pub async fn tick(&self, scope: DueScope) -> Result<Ticked, TickError> {
        let budget = self.settings.limits.budget(self.ports)?;
        let engine = self.engine(&budget, Requester::AUTOMATION);
        let now = self.ports.now();
        let mut ticked = Ticked::default();
        let limit = self.settings.limits.requests;
        if self.settings.read_only {
            // What the last tick of somebody else left says which stacks to apply instead of checking them.
            let due = engine.due(DueScope::All, limit).await?;
            self.send_due(&engine, due, now, &mut ticked).await?;
            return Ok(ticked);
        }
        let (due, uploads, requests) = join3(
            engine.due(scope, limit),
            self.store.versions(upload::PREFIX),
            requests::open(self.store, now),
        )
        .await;
        // Each is on its way, whatever becomes of the others.
        let due = match due {
            Ok(due) => self.send_due(&engine, due, now, &mut ticked).await,
            Err(error) => Err(error.into()),
        };
        if let Ok(uploads) = &uploads {
            for key in upload::strays(uploads, now) {
                tracing::warn!(target: "kedge", key, "this is no upload: {}", upload::STRAY);
            }
            let uploads = upload::open(uploads, now);
            ticked.uploads = uploads.len();
            self.send_all(uploads.iter().map(Upload::work)).await?;
        }
        if let Ok(requests) = &requests {
            ticked.requests = requests.len();
            let works = requests.iter().cloned().map(OpenRequest::work);
            self.send_all(works).await?;
        }
        due?;
        uploads?;
        requests?;
        Ok(ticked)
    }

    /// Sends the checks and applies that are due, and notes that.
    async fn send_due(
        &self,
        engine: &Engine<'_, P, S>,
        mut due: DueWork,
        now: Timestamp,
        ticked: &mut Ticked,
    ) -> Result<(), TickError> {
        let checks: Vec<Work> = self.checks(&mut due, now);
        *ticked = Ticked {
            stacks: due.stacks.len(),
            checks: due.groups.iter().map(|group| group.stacks.len()).sum(),
            groups: checks.len(),
            applies: due.applies.len(),
            ..Ticked::default()
        };
        let applies = due.applies.iter().map(|(stack, revision)| Work::Apply {
            stack: stack.clone(),
            because: revision.clone(),
        });
        self.send_all(checks.into_iter().chain(applies)).await?;
        engine.keep_schedule(&due).await.map_err(TickError::Keep)?;
        Ok(())
    }

    async fn send_all(&self, works: impl Iterator<Item = Work>) -> Result<(), QueueError> {
        for work in works {
            self.queue.send(&work).await?;
        }
        Ok(())
    }

    /// The checks that are due, spread over time by what each provider's account allows.
    fn checks(&self, due: &mut DueWork, now: Timestamp) -> Vec<Work> {
        let mut pace = Pace {
            per_minute: self.settings.requests_per_minute,
            booked_until: &mut due.booked_until,
            now,
        };
        let slot = Timestamp(now.0 - now.0.rem_euclid(SLOT_MS));
        let is_alone = due.groups.len() < 2;
        let check = |group: &DueGroup| {
            let jitter = match is_alone {
                true => 0,
                false => self.ports.next_u64() % JITTER_MS,
            };
            let begins = pace.book(&group.estimate.by_provider());
            Work::Check {
                stacks: group.stacks.clone(),
                tick: slot,
                not_before: begins.plus_ms(i64::try_from(jitter).unwrap_or_default()),
            }
        };
        due.groups.iter().map(check).collect()
    }
}

/// When the next group may begin, so that no provider gets more requests a minute than its account allows.
struct Pace<'a> {
    per_minute: &'a BTreeMap<ProviderName, u64>,
    /// How far each account is booked, by earlier ticks too.
    booked_until: &'a mut BTreeMap<ProviderName, Timestamp>,
    now: Timestamp,
}

impl Pace<'_> {
    /// Books these requests, and says when the first may be made.
    fn book(&mut self, requests: &BTreeMap<ProviderName, u64>) -> Timestamp {
        let of = requests.keys().filter_map(|provider| {
            self.per_minute.get(provider)?;
            self.booked_until.get(provider)
        });
        let begins = of.copied().max().unwrap_or(self.now);
        let begins = begins.clamp(self.now, self.now.plus_ms(BOOKED_MS_MAX));
        for (provider, per_minute) in self.per_minute {
            let Some(requests) = requests.get(provider) else {
                continue;
            };
            let lasts = requests
                .saturating_mul(MINUTE_MS)
                .div_ceil((*per_minute).max(1));
            let until = begins.plus_ms(i64::try_from(lasts).unwrap_or(i64::MAX));
            self.booked_until.insert(*provider, until);
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_348_800_000);
    use ProviderName::{Aiven, Cloudflare, Pubsub};

    #[test]
    fn a_provider_gets_no_more_a_minute_than_its_account_allows() {
        let per_minute = [(Aiven, 300), (Cloudflare, 60)].into();
        let mut booked_until = BTreeMap::new();
        let mut begins = |now, all: &[&[(ProviderName, u64)]]| {
            let mut pace = Pace {
                per_minute: &per_minute,
                booked_until: &mut booked_until,
                now,
            };
            let all = all
                .iter()
                .map(|requests| requests.iter().copied().collect());
            let begins = all.map(|requests| pace.book(&requests).ms_since(NOW));
            begins.collect::<Vec<_>>()
        };
        let both = &[(Aiven, 100), (Cloudflare, 1)][..];
        let aiven = &[(Aiven, 50)][..];
        let other = &[(Pubsub, 1_000)][..];
        // 100 of 300 a minute are 20 s; a provider without a limit waits for nobody.
        let first = begins(NOW, &[both, aiven, both, other, aiven]);
        assert_eq!(first, [0, 20_000, 30_000, 0, 50_000]);
        // The next tick goes on where this one ended, and what is over is forgotten.
        assert_eq!(
            begins(NOW.plus_ms(30_000), &[aiven, other]),
            [60_000, 30_000]
        );
        assert_eq!(begins(NOW.plus_ms(90_000), &[aiven]), [90_000]);
        // Nothing waits longer than a quarter of an hour, whatever was booked, and by whichever clock.
        let much = &[(Aiven, 300 * 60)][..];
        let later = NOW.plus_ms(3_600_000);
        assert_eq!(begins(later, &[much, aiven]), [3_600_000, 4_500_000]);
        assert_eq!(begins(NOW, &[aiven]), [900_000]);
    }
}
