//! Holds in JSON.

use serde_json::{Map, Value as Json, json};

use crate::model::{StackName, Timestamp};
use crate::render::view::outside;
use crate::report::Report;
use crate::stored::hold::{Hold, Holds};

/// A run that was under way when a hold was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderWay<'a> {
    /// Whose: `ana@laptop`.
    pub actor: &'a str,
    /// Which.
    pub run: &'a str,
    /// Since when it has the lease.
    pub since: Timestamp,
    /// Whether it ended meanwhile.
    pub ended: bool,
    /// For how many seconds it may still begin changes without knowing of the hold; 0: for none.
    pub unknowing_s: i64,
}

/// The holds of a stack, and the run that one was set beside: `kedge.holds/1`.
#[must_use]
pub fn holds_json(
    stack: &StackName,
    holds: &Holds,
    under_way: Option<UnderWay<'_>>,
    now: Timestamp,
) -> Json {
    let stand = holds.list().iter().filter(|hold| hold.stands(now));
    let under_way = under_way.map(|run| {
        json!({
            "actor": outside(run.actor),
            "run": outside(run.run),
            "since": run.since.to_string(),
            "ended": run.ended,
            "unknowing_s": run.unknowing_s,
        })
    });
    json!({
        "format": "kedge.holds/1",
        "stack": stack.as_str(),
        "holds": stand.map(|hold| one(hold, now)).collect::<Vec<_>>(),
        "under_way": under_way,
    })
}

/// Holds that stand, and those that ended since the last check.
pub(super) fn of_report(report: &Report) -> Vec<Json> {
    let holds = report.holds.iter();
    holds.map(|hold| one(hold, report.read_at)).collect()
}

/// Why holds could not be read, if so.
pub(super) fn unread(report: &Report) -> Option<String> {
    let unread = report.holds_unread.as_ref();
    unread.map(|unread| outside(&unread.why))
}

fn one(hold: &Hold, now: Timestamp) -> Json {
    let Hold {
        key,
        reason,
        who,
        until,
        set_at,
    } = hold;
    let key = key.as_ref().map(|key| outside(&key.to_string()));
    let pairs: [(&str, Json); 6] = [
        ("key", key.into()),
        ("reason", outside(reason).into()),
        ("who", outside(who).into()),
        ("until", until.to_string().into()),
        ("set_at", set_at.to_string().into()),
        ("stands", hold.stands(now).into()),
    ];
    let map: Map<String, Json> = pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Json::Object(map)
}
