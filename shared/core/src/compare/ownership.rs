//! Resources of another stack (semantics 2.3): nothing is done about them, and nothing is recorded.
//!
//! Who owns a name is decided by the engine, from the files and states of other stacks.

use std::collections::BTreeMap;

use super::{Comparison, Verdict};
use crate::model::ResourceKey;

impl Comparison {
    /// Blocks resources that another stack owns, each with the reason.
    pub fn block(&mut self, owned_elsewhere: &BTreeMap<ResourceKey, String>) {
        for (key, why) in owned_elsewhere {
            let Some(difference) = self.differences.get_mut(key) else {
                continue;
            };
            if difference.verdict == Verdict::InSync {
                difference.verdict = Verdict::NotAdopted;
            }
            difference.blocked.get_or_insert_with(|| why.clone());
            self.records.remove(key);
        }
    }
}
