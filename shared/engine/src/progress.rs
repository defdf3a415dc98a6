//! Progress of a run, for whoever watches it. Nothing may depend on it.

use std::future::{Future, poll_fn};
use std::pin::pin;

use kedge_core::model::Scope;
use kedge_core::report::ChangeResult;

use crate::lease::LeaseError;
use crate::session::{Session, Wait};
use crate::state_store::StateStoreError;

/// A step of a run that takes time, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A scope is being read.
    Reading(&'a Scope),
    /// It was read, or not.
    HasRead(&'a Scope),
    /// A pause before a provider is asked again.
    Waiting(Wait),
    /// So many changes are about to be made.
    Applying(usize),
    /// A change ended.
    ChangeResult(&'a ChangeResult),
    /// What checks remember could not be kept; the run goes on.
    NotRemembered(&'a StateStoreError),
    /// The record of the run could not be kept; what it did is done, and in state.
    NotRecorded(&'a StateStoreError),
    /// The lease could not be given back; it ends by itself.
    NotReleased(&'a LeaseError),
}

/// Does this work, and reports each pause as it begins.
pub(crate) async fn telling<T>(
    progress: &dyn Fn(Progress<'_>),
    session: &Session,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    // Whoever pauses leaves a note and sleeps, so the note is found right then.
    poll_fn(|cx| {
        let polled = work.as_mut().poll(cx);
        for wait in session.take_waits() {
            progress(Progress::Waiting(wait));
        }
        polled
    })
    .await
}
