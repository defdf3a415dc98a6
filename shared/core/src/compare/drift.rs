//! What tells one drift from another, and when each came about (semantics 6.2, 9.2).
//!
//! Checks remember both in [`Watch`], under the hashes that are made here.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Cause, Difference};
use crate::model::{Timestamp, short_hash};
use crate::stored::state::{Watch, Window};

/// Tells one drift of a resource from another: what was announced holds for that drift only.
#[must_use]
pub fn drift_fingerprint(difference: &Difference) -> String {
    let mut text = format!("{:?}\n", difference.whole);
    for field in &difference.fields {
        let _ = writeln!(
            text,
            "{} {:?} {:?}",
            field.field, field.declared, field.live
        );
    }
    short_hash(&text)
}

/// What a drift shows, one text for each field, item or whole resource that live moved away from:
/// less than before means that nothing moved since.
#[must_use]
pub fn drift_shows(difference: &Difference) -> BTreeSet<String> {
    let is_drift = |cause| {
        matches!(
            cause,
            Cause::Drifted | Cause::EditedAndDrifted | Cause::NotAdoptedAndDrifted
        )
    };
    let mut shows = BTreeSet::new();
    if let Some(cause) = difference.whole {
        shows.insert(short_hash(&format!("whole {cause:?}")));
    }
    let fields = difference.fields.iter();
    for field in fields.filter(|field| is_drift(field.cause)) {
        let name = &field.field;
        if field.items.is_empty() {
            shows.insert(short_hash(&format!("{name} {:?}", field.live)));
        }
        let items = field.items.iter().filter(|item| is_drift(item.cause));
        // A condition is another drift than a member that is gone.
        shows.extend(items.map(|one| match &one.condition {
            None => short_hash(&format!("{name} {:?} {}", one.item, one.lacking)),
            Some(words) => short_hash(&format!("{name} {:?} {words:?}", one.item)),
        }));
    }
    let unhealthy = difference.unhealthy.iter();
    shows.extend(unhealthy.map(|why| short_hash(&format!("unhealthy {why}"))));
    shows
}

impl Watch {
    /// When this drift came about, by what checks before `now` remember.
    #[must_use]
    pub fn window(&self, difference: &Difference, now: Timestamp) -> Window {
        let key = &difference.key;
        let shows = drift_shows(difference);
        let known = self.windows.get(key);
        if let Some(known) = known.filter(|known| shows.is_subset(&known.shows)) {
            return Window {
                shows,
                ..known.clone()
            };
        }
        let seen = self.first_seen.get(key);
        let (after, before) = match seen.filter(|_| known.is_none()) {
            Some((fingerprint, at)) if *fingerprint == drift_fingerprint(difference) => (None, *at),
            _ => (self.last_good_read_at, now),
        };
        Window {
            after,
            before,
            shows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{FieldDifference, Verdict};
    use crate::model::{FieldName, ResourceKey, Value};

    #[test]
    fn what_was_put_back_and_moved_again_came_about_anew() {
        let key = ResourceKey::pubsub_topic("p", "t");
        let drift = |names: &[&'static str]| {
            let field = |name: &&'static str| FieldDifference {
                field: FieldName::known(name),
                declared: Some(Value::Int(1)),
                recorded: Some(Value::Int(1)),
                live: Some(Value::Int(2)),
                cause: Cause::Drifted,
                items: Vec::new(),
                origin: None,
                stuck: false,
            };
            Difference {
                fields: names.iter().map(field).collect(),
                ..Difference::new(&key, Verdict::Drifted)
            }
        };
        let mut watch = Watch::default();
        for (now, names, before) in [
            (10, &["a", "b"][..], 10),
            // One was put back: the other stands since then.
            (20, &["a"], 10),
            (30, &["a", "b"], 30),
            (40, &["b", "a"], 30),
        ] {
            let window = watch.window(&drift(names), Timestamp(now));
            assert_eq!(window.before, Timestamp(before), "{now}");
            let drifts = [(key.clone(), (String::new(), window))].into();
            watch = watch.after(drifts, |_| false, true, Timestamp(now));
        }
    }
}
