//! Telling whoever watches that a run waits for a provider, and why.

use std::future::{Future, poll_fn};
use std::pin::pin;

use crate::job::Progress;
use crate::ports::ProviderName;
use crate::session::Session;

/// A pause before a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Who is asked again.
    pub provider: ProviderName,
    /// The status of its answer; none if no answer came.
    pub status: Option<u16>,
    /// How long, in milliseconds.
    pub ms: u64,
}

/// Does this work, and tells of each pause as it begins.
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
