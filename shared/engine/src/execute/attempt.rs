//! Makes one change, once the lease, the holds and the budget allow it. Also says which changes fit into
//! the budget, and which may run side by side.
//!
//! What the outcome means for state is decided in `super`.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures_util::stream::{Stream, StreamExt as _};
use kedge_core::change::{Applied, ChangeError};
use kedge_core::plan::Approved;
use kedge_core::ran_out::RanOut;
use kedge_core::report::{ChangeResult, Changed, Outcome, Report};
use kedge_core::risk::Risk;

use crate::budget::{Budget, Purse};
use crate::lease::{HoldStop, Lease};
use crate::ports::{Store, WritePorts};
use crate::providers;
use crate::session::Context;

impl HoldStop {
    /// How a change ends that is held back.
    pub(crate) fn into_outcome(self) -> Outcome {
        match self {
            Self::By(reason) => Outcome::Held { reason },
            Self::Unread(reason) => Outcome::NotBegun { reason },
        }
    }
}

/// What became of the attempt to make one change.
pub(super) enum Attempt {
    /// It may not be begun now.
    KeptFrom(Outcome),
    /// The run has no requests or no time left for it.
    RanOut(RanOut),
    /// It was begun.
    Made(Result<Applied, ChangeError>),
}

/// Makes one change, if it may be begun.
pub(super) async fn attempt<P: WritePorts, S: Store>(
    cx: Context<'_, P>,
    lease: &Lease<'_, P, S>,
    approved: &Approved,
    promised: Option<Rc<Purse>>,
) -> Attempt {
    if let Err(reason) = lease.may_begin().await {
        return match cx.session.budget.is_out_of_time(cx.ports.monotonic_ms()) {
            true => Attempt::RanOut(RanOut::Time),
            false => Attempt::KeptFrom(Outcome::NotBegun { reason }),
        };
    }
    // A hold that was set since the batch began stops what has not begun.
    if let Some(back) = lease.held_back(&approved.change.key) {
        return Attempt::KeptFrom(back.into_outcome());
    }
    let (budget, now_ms) = (&cx.session.budget, cx.ports.monotonic_ms());
    let needs = providers::requests_of_change(&approved.change);
    let purse = match promised {
        Some(purse) => budget.check(0, now_ms).map(|()| purse),
        None => budget.promise(needs, now_ms).map(Rc::new),
    };
    let purse = match purse {
        Ok(purse) => purse,
        Err(ran_out) => return Attempt::RanOut(ran_out),
    };
    let promised = purse.left();
    let made = providers::carry_out(cx.with(&purse), &approved.change).await;
    let is_unsent = made.is_err() && purse.left() == promised;
    match is_unsent && budget.is_out_of_time(cx.ports.monotonic_ms()) {
        // It waited for a connection until it was too late.
        true => Attempt::RanOut(RanOut::Time),
        false => Attempt::Made(made),
    }
}

/// Does this work, and polls attempts meanwhile: a request under way that is not polled would keep
/// the connection that the work may be waiting for.
pub(super) async fn polling<T, A>(
    attempts: &mut (impl Stream<Item = A> + Unpin),
    ended: &mut VecDeque<A>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            while let Poll::Ready(Some(attempt)) = attempts.poll_next_unpin(cx) {
                ended.push_back(attempt);
            }
        }
        polled
    })
    .await
}

/// How many requests must be left for a change to be begun: for all of its composite.
pub(super) fn needs(report: &Report, approved: &Approved) -> u64 {
    let belongs = |one: &&Approved| match &approved.composite {
        None => one.change.key == approved.change.key,
        composite => one.composite == *composite,
    };
    let together = report.decided.approved().filter(belongs);
    together
        .map(|one| providers::requests_of_change(&one.change))
        .sum()
}

/// The result of an `up` if not one of its changes fits into the requests and the time that are
/// left: nothing is begun, and the consent is not used.
pub(crate) fn nothing_fits(
    budget: &Budget,
    now_ms: i64,
    report: &Report,
    run: &str,
) -> Option<Changed> {
    let approved = report.decided.approved();
    let results: Option<Vec<(RanOut, ChangeResult)>> = approved
        .map(|approved| {
            let ran_out = budget.check(needs(report, approved), now_ms).err()?;
            let reason = ran_out.to_string();
            let outcome = Outcome::NotBegun { reason };
            let approved = approved.clone();
            Some((ran_out, ChangeResult { approved, outcome }))
        })
        .collect();
    let (ran_out, results): (Vec<_>, Vec<_>) = results?.into_iter().unzip();
    let first = ran_out.into_iter().next()?;
    Some(Changed {
        run: run.to_owned(),
        results,
        ran_out: Some(first),
        ..Changed::default()
    })
}

/// Cuts the ordered changes into batches that may run side by side: changes of one kind and verb
/// that can be taken back. What can't be, or belongs to a composite, runs alone.
pub(super) fn batches<'a, 'b>(approved: &'b [&'a Approved]) -> Vec<&'b [&'a Approved]> {
    let together = |a: &&Approved, b: &&Approved| {
        let alone = |one: &Approved| one.risk == Risk::Destructive || one.composite.is_some();
        a.change.key.kind() == b.change.key.kind() && !alone(a) && !alone(b)
    };
    approved.chunk_by(together).collect()
}
