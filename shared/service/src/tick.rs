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
use kedge_engine::{DueGroup, DueScope, DueWork, ScheduleError, TooFewConnections};
use thiserror::Error;

use crate::keys::UPLOADS;
use crate::queue::{Queue, QueueError};
use crate::requests;
use crate::service::{Asks, Service};
use crate::upload;
use crate::work::{Authority, Work};

/// Ticks within this time are one: a platform may call twice. In milliseconds.
const SLOT_MS: i64 = 60 * 1000;
const MINUTE_MS: u64 = 60_000;
/// Groups begin within this time of each other, so that they don't ask everything at once.
const JITTER_MS: u64 = 5_000;

/// A tick could not do all of its work. The next one makes up for it.
#[derive(Debug, Error)]
pub enum TickError {
    /// What is due could not be read.
    #[error("what is due could not be read")]
    Schedule(#[from] ScheduleError),
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
    /// Sends what is due. [`DueScope::All`] is for a process that starts: its queue was empty.
    ///
    /// # Errors
    /// When the store or the queue fails. What was sent before stays sent.
    pub async fn tick(&self, scope: DueScope) -> Result<Ticked, TickError> {
        let budget = self.settings.limits.budget(self.ports)?;
        let engine = self.engine(&budget, Asks::AUTOMATION);
        let now = self.ports.now();
        let (due, uploads, requests) = join3(
            engine.due(scope, self.settings.limits.requests),
            self.store.versions(UPLOADS),
            requests::open(self.store, now),
        )
        .await;
        let mut due = due?;
        let checks: Vec<Work> = self.checks(&mut due, now);
        let mut ticked = Ticked {
            stacks: due.stacks.len(),
            checks: due.groups.iter().map(|group| group.stacks.len()).sum(),
            groups: checks.len(),
            applies: due.applies.len(),
            ..Ticked::default()
        };
        self.send_all(
            checks
                .into_iter()
                .chain(due.applies.iter().map(|(stack, revision)| Work::Apply {
                    stack: stack.clone(),
                    by: Authority::Policy,
                    because: revision.clone(),
                })),
        )
        .await?;
        // Checks go on where these can't be listed.
        let (uploads, requests) = match (uploads, requests) {
            (Ok(uploads), Ok(requests)) => (upload::open(&uploads), requests),
            (Err(error), _) | (_, Err(error)) => return Err(error.into()),
        };
        (ticked.uploads, ticked.requests) = (uploads.len(), requests.len());
        self.send_all(uploads.into_iter().map(|upload| upload.work()))
            .await?;
        self.send_all(requests.into_iter().map(|request| request.work()))
            .await?;
        engine.keep_schedule(&due).await?;
        Ok(ticked)
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
        let begins = of
            .copied()
            .max()
            .map_or(self.now, |until| until.max(self.now));
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
    }
}
