//! What another stack has (semantics 2.3). Whose a name is stands in other stacks' files and states,
//! which no comparison of one stack knows.

use std::collections::BTreeMap;

use super::{Comparison, Verdict};
use crate::model::ResourceKey;

impl Comparison {
    /// Blocks what another stack has, each with the reason (semantics 2.3): nothing is done about it,
    /// and nothing of it is recorded.
    pub fn block(&mut self, taken: &BTreeMap<ResourceKey, String>) {
        for (key, why) in taken {
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
