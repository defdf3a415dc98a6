//! Cloudflare DNS: A and AAAA records, seen as record sets.
//!
//! A zone's records are read whole, in one page as a rule. The zone itself is read only where a record set
//! is to be created. A set is changed by one batch, which Cloudflare makes in one transaction, so no name
//! is ever half changed. Records that Cloudflare made under another name are deleted by the ids in its
//! answer: this run made them a moment ago.

mod batch;
mod error;
mod normalize;
mod requests;
mod wire;
mod zone;

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use kedge_core::change::{Applied, Change, ChangeError, Verb};
use kedge_core::live::{FailureCode, Proof, ReadFailure, ScopeReading, Wanted};
use kedge_core::model::{ResourceKey, SecretText};
use kedge_core::providers::Provider;

use self::batch::{Batch, Made};
use self::error::{Refusal, Unsendable, failure};
use self::normalize::Sets;
use self::requests::{PER_PAGE, TOKEN_NAME, Zone};
use self::wire::Page;
use self::zone::{Names, ZoneRead};
use super::unanswered;
use crate::ports::{ProviderName, ReadPorts, Secrets, WritePorts};
use crate::reads::Reads;
use crate::retry::{WriteAnswer, WriteFailure, send_read, send_write, without_credentials};
use crate::session::Context;

/// What is known of Cloudflare.
const CLOUDFLARE: &Provider = ProviderName::Cloudflare.entry();

/// The most pages of one zone: a million records, far above any plan's quota. More is a server
/// that lies about its count.
const PAGES_MAX: usize = 200;

/// A change is one batch.
pub(super) const REQUESTS_OF_CHANGE: u64 = 1;

/// The zone's records, and the zone itself where a record set that is not recorded may have to be made.
pub(super) fn reads(wanted: &Wanted) -> Reads {
    let is_new = !wanted.declared.is_subset(&wanted.recorded);
    Reads {
        lists: 1 + u64::from(is_new),
        ..Reads::default()
    }
}

/// Reads the record sets of a zone.
#[expect(
    clippy::disallowed_methods,
    reason = "`read_records` has compared the list's count with `total_count`"
)]
pub(super) async fn read_live<P: ReadPorts>(
    cx: Context<'_, P>,
    zone_id: &str,
    wanted: &Wanted,
) -> ScopeReading {
    if wanted.keys.is_empty() && !wanted.every_dns_name {
        return ScopeReading::default();
    }
    // A zone and its records look the same to all stacks of a group.
    let cx = cx.in_common();
    let Records { sets, names } = match read_records(cx, zone_id).await {
        Ok(records) => records,
        Err(failure) => return ScopeReading::failed(CLOUDFLARE.kinds, &failure),
    };
    let mut reading = ScopeReading::default();
    for key in wanted.keys.iter().filter(|key| !sets.contains_key(*key)) {
        reading.set_absent(key.clone(), Proof::not_in_counted_list());
    }
    let of_stack = wanted.stack.as_ref();
    for (key, set) in sets {
        let is_wanted = wanted.every_dns_name || wanted.keys.contains(&key);
        match set {
            Ok(records) => {
                let live = normalize::live(&records);
                // What bears our mark is ours to name, whatever it is called (semantics 2.6).
                if is_wanted || of_stack.is_some_and(|stack| live.is_marked_by(stack)) {
                    reading.set_present(key, live);
                }
            }
            Err(reason) if is_wanted => {
                let failure = failure(FailureCode::StrangeAnswer, reason);
                reading.set_unknown(key, failure);
            }
            Err(_) => {}
        }
    }
    add_what_else_is_known(cx, zone_id, wanted, &names, &mut reading).await;
    reading
}

/// Adds what stands in the way of declared record sets that are not there, and what else there is to
/// say of the wanted ones. The zone itself costs a request, so it is read only where one is to be made.
async fn add_what_else_is_known<P: ReadPorts>(
    cx: Context<'_, P>,
    zone_id: &str,
    wanted: &Wanted,
    names: &Names,
    reading: &mut ScopeReading,
) {
    let is_absent = |key: &&ResourceKey| reading.reading(key).is_absent();
    let absent: Vec<ResourceKey> = wanted.declared.iter().filter(is_absent).cloned().collect();
    for key in &wanted.keys {
        reading.notes.insert(key.clone(), names.notes(key));
    }
    if !absent.is_empty() {
        let zone = read_zone(cx, zone_id).await;
        for key in absent {
            let notes = zone::notes_of_zone(&zone).iter().cloned();
            reading.notes.entry(key.clone()).or_default().extend(notes);
            match (names.obstacle(&key, &zone), &zone) {
                (Some(obstacle), _) => drop(reading.obstacles.insert(key, obstacle)),
                (None, ZoneRead::Failed(failure)) => {
                    reading.set_unknown(key, failure.clone());
                }
                (None, _) => {}
            }
        }
    }
    reading.notes.retain(|_, notes| !notes.is_empty());
}

/// Reads what matters of the zone itself. Without it a name outside the zone is found only in the
/// answer to its creation.
async fn read_zone<P: ReadPorts>(cx: Context<'_, P>, zone_id: &str) -> ZoneRead {
    let read = async {
        let token = token(cx).map_err(Unsendable::read_failure)?;
        let zone = Zone {
            base: cx.session.endpoints.base(ProviderName::Cloudflare),
            id: zone_id,
            token: &token,
        };
        let request = requests::zone(zone).map_err(Unsendable::read_failure)?;
        send_read(cx, &request, error::classify_read)
            .await
            .map_err(|error| unanswered::read_failure(CLOUDFLARE, &error))
    };
    let response = match read.await {
        Ok(response) => response,
        Err(failure) => return ZoneRead::Failed(failure),
    };
    match response.status().as_u16() {
        200 => {}
        // The list of its records was given, so it is the permission that lacks.
        401 | 403 | 404 => return ZoneRead::Refused,
        _ => return ZoneRead::Failed(error::read_failure(zone_id, &response)),
    }
    match wire::zone(response.body()) {
        Ok(zone) => ZoneRead::of(&zone),
        Err(reason) => ZoneRead::Failed(failure(FailureCode::StrangeAnswer, reason)),
    }
}

fn token<P: Secrets>(cx: Context<'_, P>) -> Result<SecretText, Unsendable> {
    cx.ports.secret(TOKEN_NAME).ok_or(Unsendable::NoToken)
}

/// What the list of a zone shows.
struct Records {
    sets: Sets,
    names: Names,
}

/// Reads all records of a zone, or fails: a list that is not proven whole proves no absence
/// (semantics 3.1).
async fn read_records<P: ReadPorts>(
    cx: Context<'_, P>,
    zone_id: &str,
) -> Result<Records, ReadFailure> {
    let token = token(cx).map_err(Unsendable::read_failure)?;
    let zone = Zone {
        base: cx.session.endpoints.base(ProviderName::Cloudflare),
        id: zone_id,
        token: &token,
    };
    let first = read_page(cx, zone, 1).await?;
    let total = first.total_count;
    let mut pages = vec![first];
    let numbers: Vec<usize> = (2..=page_count(&pages)?).collect();
    let mut others: Vec<(usize, Result<Page, ReadFailure>)> = stream::iter(numbers)
        .map(|number| async move { (number, read_page(cx, zone, number).await) })
        .buffer_unordered(cx.session.concurrency.max(1))
        .collect()
        .await;
    others.sort_by_key(|(number, _)| *number);
    for (_, page) in others {
        pages.push(page?);
    }
    // Page numbers are no snapshot: a record may show up twice when another is removed meanwhile.
    let mut by_id = BTreeMap::new();
    for record in pages.iter().flat_map(|page| &page.records) {
        let Some(id) = record.id.text() else {
            let reason = "a record in the list has no id";
            return Err(failure(FailureCode::StrangeAnswer, reason));
        };
        by_id.entry(id).or_insert(record);
    }
    if by_id.len() != total || pages.iter().any(|page| page.total_count != total) {
        let reason = format!(
            "the list has {} records and says that there are {total}",
            by_id.len()
        );
        return Err(failure(FailureCode::Inconsistent, reason));
    }
    let records = || by_id.values().copied();
    let sets = normalize::sets(zone_id, records())
        .map_err(|reason| failure(FailureCode::StrangeAnswer, reason))?;
    let names = Names::of(zone_id, records());
    Ok(Records { sets, names })
}

/// How many pages there are, by the first.
fn page_count(pages: &[Page]) -> Result<usize, ReadFailure> {
    let Some(first) = pages.first() else {
        return Ok(0);
    };
    if first.records.len() >= first.total_count {
        return Ok(1);
    }
    // A server may give smaller pages than asked for, and says so.
    let per_page = match first.per_page {
        0 => first.records.len(),
        given => given.min(PER_PAGE),
    };
    let count = first.total_count.div_ceil(per_page.max(1));
    if first.records.len() < per_page || count > PAGES_MAX {
        let reason = format!(
            "a page has {} records and says that there are {}",
            first.records.len(),
            first.total_count
        );
        return Err(failure(FailureCode::Inconsistent, reason));
    }
    Ok(count)
}

async fn read_page<P: ReadPorts>(
    cx: Context<'_, P>,
    zone: Zone<'_>,
    number: usize,
) -> Result<Page, ReadFailure> {
    let request = requests::list(zone, number).map_err(Unsendable::read_failure)?;
    let response = send_read(cx, &request, error::classify_read)
        .await
        .map_err(|error| unanswered::read_failure(CLOUDFLARE, &error))?;
    // Only a 200 is a list; a 202 or 206 with a body like one proves no absence.
    if response.status() != 200 {
        return Err(error::read_failure(zone.id, &response));
    }
    wire::page(response.body()).map_err(|reason| failure(FailureCode::StrangeAnswer, reason))
}

/// Makes one change of one record set.
pub(super) async fn carry_out<P: WritePorts>(
    cx: Context<'_, P>,
    zone_id: &str,
    change: &Change,
) -> Result<Applied, ChangeError> {
    let batch = batch::batch(change)?;
    let made = match make(cx, zone_id, change, &batch).await {
        // A batch is made whole or not at all, so what is not gone yet still stands.
        Err(Refusal::RecordGone(_)) if change.verb == Verb::Delete => {
            let rest = rest_of_delete(cx, zone_id, change).await?;
            make(cx, zone_id, change, &rest).await
        }
        made => made,
    };
    made.map_err(|refusal| match refusal {
        Refusal::RecordGone(said) => error::failed(said),
        Refusal::Error(error) => error,
    })
}

async fn make<P: WritePorts>(
    cx: Context<'_, P>,
    zone_id: &str,
    change: &Change,
    batch: &Batch,
) -> Result<Applied, Refusal> {
    if batch.is_empty() {
        return Ok(Applied::default());
    }
    send_batch(cx, zone_id, change, batch).await?;
    Ok(Applied {
        catching_up_ms: CLOUDFLARE.catching_up_ms,
    })
}

/// Sends a batch until it is known what became of it.
async fn send_batch<P: WritePorts>(
    cx: Context<'_, P>,
    zone_id: &str,
    change: &Change,
    batch: &Batch,
) -> Result<(), Refusal> {
    let unsendable = |error: Unsendable| Refusal::Error(error.change_error());
    let token = token(cx).map_err(unsendable)?;
    let zone = Zone {
        base: cx.session.endpoints.base(ProviderName::Cloudflare),
        id: zone_id,
        token: &token,
    };
    let request = requests::batch(zone, batch).map_err(unsendable)?;
    // Repeating is safe: the batch names ids and addresses, so what was made once is refused as
    // existing or gone the second time, or sets what is set.
    let lost = match send_write(cx, &request, error::classify_write).await {
        Ok(answer) if is_done(&answer) => {
            match batch.made_by(&wire::created(answer.response.body())) {
                Made::AsAsked => return Ok(()),
                Made::Elsewhere { name, ids } => {
                    let undone = undo(cx, zone, batch, &ids).await;
                    return Err(Refusal::Error(error::made_elsewhere(batch, &name, undone)));
                }
                Made::Unnamed => "the answer does not say which name was created".to_owned(),
            }
        }
        Ok(answer) if answer.response.status().is_success() => {
            error::no_success(&without_credentials(cx, answer.response))
        }
        Ok(answer) if answer.after_ambiguous || is_refused_again(change, &answer) => {
            let said = error::describe_answer(&answer.response, "refused");
            format!("{said}, after an attempt that was not answered")
        }
        Ok(answer) => return Err(error::refusal(change, zone_id, &answer.response)),
        Err(WriteFailure {
            error,
            ambiguous: true,
        }) => unanswered::describe(CLOUDFLARE, &error),
        Err(failure) => {
            let error = unanswered::change_error(CLOUDFLARE, &failure);
            return Err(Refusal::Error(error));
        }
    };
    resolve(cx, zone_id, change, batch, &lost).await
}

/// Deletes what a batch of ours has just made under another name than was asked: nobody declared it,
/// and nobody else can rely on what is a moment old. By the ids of the answer alone. Else why not.
async fn undo<P: WritePorts>(
    cx: Context<'_, P>,
    zone: Zone<'_>,
    batch: &Batch,
    ids: &[String],
) -> Result<(), String> {
    if ids.is_empty() {
        return Err("the answer does not say which records they are".to_owned());
    }
    let request = requests::batch(zone, &batch.undoing(ids));
    let request = request.map_err(|error| error.read_failure().reason)?;
    match send_write(cx, &request, error::classify_write).await {
        Ok(answer) if is_done(&answer) => Ok(()),
        Ok(answer) => Err(error::describe_answer(&answer.response, "refused")),
        Err(failure) => Err(unanswered::describe(CLOUDFLARE, &failure.error)),
    }
}

/// Whether what an earlier run began to make is refused now, maybe because it is there.
fn is_refused_again(change: &Change, answer: &WriteAnswer) -> bool {
    change.begun_before && answer.response.status() == http::StatusCode::BAD_REQUEST
}

fn is_done(answer: &WriteAnswer) -> bool {
    answer.response.status().is_success() && wire::is_success(answer.response.body())
}

/// Looks whether a batch with a lost answer was made. If what it wants stands, it is done; if not,
/// it may still be under way.
async fn resolve<P: WritePorts>(
    cx: Context<'_, P>,
    zone_id: &str,
    change: &Change,
    batch: &Batch,
    lost: &str,
) -> Result<(), Refusal> {
    let unknown = |why: String| {
        let reason = format!("{}: {lost}; {why}", change.key.name());
        Refusal::Error(ChangeError::OutcomeUnknown { reason })
    };
    let mut sets = read_records(cx, zone_id)
        .await
        .map_err(|failure| unknown(format!("reading it again failed: {}", failure.reason)))?
        .sets;
    let records = sets.remove(&change.key).unwrap_or_else(|| Ok(Vec::new()));
    let records = records.map_err(unknown)?;
    if batch.stands_in(&records) {
        return Ok(());
    }
    Err(unknown("the change does not show yet".to_owned()))
}

/// What is left to delete, by what is live now.
async fn rest_of_delete<P: WritePorts>(
    cx: Context<'_, P>,
    zone_id: &str,
    change: &Change,
) -> Result<Batch, ChangeError> {
    let read = read_records(cx, zone_id).await;
    let mut sets = read.map(|read| read.sets).map_err(|failure| {
        let reason = format!(
            "a record of {} is gone, and reading it again failed: {}",
            change.key.name(),
            failure.reason
        );
        error::failed(reason)
    })?;
    let live = match sets.remove(&change.key) {
        None => None,
        Some(Ok(records)) => Some(normalize::live(&records)),
        Some(Err(reason)) => return Err(error::failed(reason)),
    };
    batch::batch(&Change {
        live,
        ..change.clone()
    })
}

#[cfg(test)]
mod tests;
