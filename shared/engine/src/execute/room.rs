//! Checks, before the first change, that state has room for all that the run is about to record.

use kedge_core::change::Applied;
use kedge_core::record;
use kedge_core::report::{About, Changed, Report};
use kedge_core::state::{self, State};
use kedge_core::stored::{COUNT_MAX, EncodeError};

use super::prepare;
use crate::ports::WritePorts;
use crate::session::Context;

/// The longest reason of an outcome that is reckoned with: a provider's words are cut before that.
const REASON_BYTES: usize = 1024;

/// Whether state can be written throughout a run that makes all of its changes: what is too large is
/// found out before the first of them.
pub(crate) fn check<P: WritePorts>(
    state: &State,
    report: &Report,
    is_unattended: bool,
    changed: &Changed,
    cx: Context<'_, P>,
    about: About<'_>,
) -> Result<(), EncodeError> {
    let mut full = state.clone();
    let mut changed = changed.clone();
    prepare(&mut full, report, is_unattended, &mut changed, cx, about);
    let now = cx.ports.now();
    let bytes = state::encode(&full)?.len();
    // What begins holds what will be recorded, and more than that is not added.
    if bytes < state::BYTES_MAX / 4 {
        return Ok(());
    }
    let begun = full.applying.clone();
    for approved in report.decided.approved() {
        let catching_up_ms = 0;
        record::done(&mut full, approved, &Applied { catching_up_ms }, now);
        if is_unattended {
            record::count_automatic(&mut full, approved, now);
        }
    }
    // At worst nothing of it is known to be done.
    full.applying = begun;
    full.step = COUNT_MAX;
    // And each tells why, in so many bytes.
    full.nonce = "x".repeat(REASON_BYTES * report.decided.approved().count());
    state::encode(&full).map(|_| ())
}
