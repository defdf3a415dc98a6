//! Cloudflare DNS: A and AAAA records, seen as record sets.
//!
//! A zone is read whole, in one page as a rule. A set is changed by one batch, which Cloudflare
//! makes in one transaction, so that no name is ever half changed.

mod batch;
mod error;
mod normalize;
mod requests;
mod wire;

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use kedge_core::change::{Applied, Change, ChangeError, Verb};
use kedge_core::live::{FailureCode, ReadFailure, ScopeReading, Wanted};
use kedge_core::model::{Kind, SecretText};

use self::batch::Batch;
use self::error::{Refusal, Unsendable, failure};
use self::normalize::Sets;
use self::requests::{PER_PAGE, TOKEN_NAME, Zone};
use self::wire::Page;
use crate::ports::{HttpError, ReadPorts, Secrets, WritePorts};
use crate::session::Context;
use crate::transport::{CallError, WriteAnswer, WriteFailure, send_read, send_write};

/// How long a list may still show what was before our write. The API reads its own database; a
/// minute covers caches between.
pub(super) const SETTLE_MS: i64 = 60_000;

/// The most pages of one zone: a million records, far above any plan's quota. More is a server
/// that lies about its count.
const PAGES_MAX: usize = 200;

/// Reads the record sets of a zone.
pub(super) async fn read_live<P: ReadPorts>(
    cx: Context<'_, P>,
    zone_id: &str,
    wanted: &Wanted,
) -> ScopeReading {
    if wanted.keys.is_empty() && !wanted.every_dns_name {
        return ScopeReading::default();
    }
    let sets = match read_zone(cx, zone_id).await {
        Ok(sets) => sets,
        Err(failure) => return ScopeReading::failed(&[Kind::DnsRecordSet], &failure),
    };
    let mut reading = ScopeReading::default();
    for (key, set) in sets {
        if !wanted.every_dns_name && !wanted.keys.contains(&key) {
            continue;
        }
        match set {
            Ok(records) => {
                reading.resources.insert(key, normalize::live(&records));
            }
            Err(reason) => {
                let failure = failure(FailureCode::StrangeAnswer, reason);
                reading.unknown.insert(key, failure);
            }
        }
    }
    reading
}

fn token<P: Secrets>(cx: Context<'_, P>) -> Result<SecretText, Unsendable> {
    cx.ports.secret(TOKEN_NAME).ok_or(Unsendable::NoToken)
}

/// Reads all records of a zone, or fails: a list that is not proven whole proves no absence
/// (semantics 3.1).
async fn read_zone<P: ReadPorts>(cx: Context<'_, P>, zone_id: &str) -> Result<Sets, ReadFailure> {
    let token = token(cx).map_err(Unsendable::read_failure)?;
    let zone = Zone {
        base: &cx.session.endpoints.cloudflare,
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
    normalize::sets(zone_id, by_id.into_values())
        .map_err(|reason| failure(FailureCode::StrangeAnswer, reason))
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
    let response = send_read(cx, &request, error::judge_read)
        .await
        .map_err(|error| error::unanswered(&error))?;
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
    let mut batch = batch::batch(change)?;
    // A second time only for a delete of which some records are gone already: a batch is made
    // whole or not at all, so the others still stand.
    for _ in 0..2 {
        if batch.is_empty() {
            return Ok(Applied::default());
        }
        match send_batch(cx, zone_id, change, &batch).await {
            Ok(()) => {
                return Ok(Applied {
                    settle_ms: SETTLE_MS,
                });
            }
            Err(Refusal::Error(error)) => return Err(error),
            Err(Refusal::RecordGone) if change.verb == Verb::Delete => {
                batch = rest_of_delete(cx, zone_id, change).await?;
            }
            Err(Refusal::RecordGone) => break,
        }
    }
    Err(error::failed(format!(
        "a record of {} is gone; it moved since it was read",
        change.key.name()
    )))
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
        base: &cx.session.endpoints.cloudflare,
        id: zone_id,
        token: &token,
    };
    let request = requests::batch(zone, batch).map_err(unsendable)?;
    // Repeating is safe: the batch names ids and addresses, so what was made once is refused as
    // existing or gone the second time, or sets what is set.
    let lost = match send_write(cx, &request, error::judge_write).await {
        Ok(answer) if is_done(&answer) => return Ok(()),
        Ok(answer) if answer.response.status().is_success() => {
            "the answer can't be understood".to_owned()
        }
        Ok(answer) if answer.after_ambiguous || is_refused_again(change, &answer) => {
            let status = answer.response.status().as_u16();
            format!("{status} after an answer that was lost")
        }
        Ok(answer) => return Err(error::refusal(change, zone_id, &answer.response)),
        Err(WriteFailure {
            error,
            ambiguous: true,
        }) => error::call_error(&error),
        Err(WriteFailure { error, .. }) => return Err(Refusal::Error(not_sent(&error))),
    };
    resolve(cx, zone_id, change, batch, &lost).await
}

/// Whether what an earlier run began to make is refused now, maybe because it is there.
fn is_refused_again(change: &Change, answer: &WriteAnswer) -> bool {
    change.begun_before && answer.response.status() == http::StatusCode::BAD_REQUEST
}

fn is_done(answer: &WriteAnswer) -> bool {
    answer.response.status().is_success() && wire::is_success(answer.response.body())
}

fn not_sent(error: &CallError) -> ChangeError {
    let reason = error::call_error(error);
    match error {
        CallError::Http(HttpError::Refused(_)) => ChangeError::Blocked { reason, fix: None },
        _ => ChangeError::Failed { reason },
    }
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
    let mut sets = read_zone(cx, zone_id)
        .await
        .map_err(|failure| unknown(format!("looking again failed: {}", failure.reason)))?;
    let records = sets.remove(&change.key).unwrap_or_else(|| Ok(Vec::new()));
    let records = records.map_err(unknown)?;
    if batch.stands_in(&records) {
        return Ok(());
    }
    Err(unknown("the change is not to be seen yet".to_owned()))
}

/// What is left to delete, by what is live now.
async fn rest_of_delete<P: WritePorts>(
    cx: Context<'_, P>,
    zone_id: &str,
    change: &Change,
) -> Result<Batch, ChangeError> {
    let read = read_zone(cx, zone_id).await;
    let mut sets = read.map_err(|failure| {
        let reason = format!(
            "a record of {} is gone, and looking again failed: {}",
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
