//! What outlives an invocation where the process does: parsed definitions, Google's tokens.
//!
//! A shell makes one for each process and hands it in. With an empty cache every answer is the same, so
//! nothing may rely on what is in it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use kedge_core::definitions::{self, Bundle, ParseInput, Problems};
use kedge_core::model::{Declared, Salt, StackName};

use crate::tokens::GoogleTokens;

/// How many parsed stacks are kept: a group of checks is at most about 50 stacks.
const STACKS_MAX: usize = 64;

/// What outlives an invocation.
#[derive(Default)]
pub struct Caches {
    parsed: Rc<RefCell<BTreeMap<ParsedKey, Arc<Declared>>>>,
    /// How often definitions were parsed.
    parses: Rc<Cell<usize>>,
    google_tokens: GoogleTokens,
}

/// What the parsed definitions of a stack depend on. The salt is among it, since it seals URLs.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ParsedKey {
    stack: StackName,
    revision: String,
    overrides: BTreeMap<String, String>,
    salt: [u8; 16],
}

impl fmt::Debug for Caches {
    /// Counts only: salts and overrides are among the keys, and tokens are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parsed = self.parsed.borrow().len();
        f.debug_struct("Caches").field("parsed", &parsed).finish()
    }
}

impl Caches {
    /// A handle for one event, where the platform does not let an event wait for what another one began, as
    /// Cloudflare's Workers. What is kept is the same.
    #[must_use]
    pub fn for_event(&self) -> Self {
        Self {
            parsed: Rc::clone(&self.parsed),
            parses: Rc::clone(&self.parses),
            google_tokens: self.google_tokens.apart(),
        }
    }

    /// How often definitions were parsed since this was made.
    #[must_use]
    pub fn parses(&self) -> usize {
        self.parses.get()
    }

    /// Google's tokens.
    pub(crate) fn google_tokens(&self) -> &GoogleTokens {
        &self.google_tokens
    }

    /// What the definitions say of a stack, its URLs sealed with this salt. Problems are not kept.
    pub(crate) fn parsed(
        &self,
        bundle: &Bundle,
        stack: &StackName,
        overrides: &BTreeMap<String, String>,
        salt: &Salt,
    ) -> Result<Arc<Declared>, Problems> {
        let key = ParsedKey {
            stack: stack.clone(),
            revision: bundle.revision(),
            overrides: overrides.clone(),
            salt: salt.0,
        };
        if let Some(declared) = self.parsed.borrow().get(&key) {
            return Ok(Arc::clone(declared));
        }
        self.parses.set(self.parses.get().saturating_add(1));
        let declared = Arc::new(definitions::parse(&ParseInput {
            bundle,
            stack,
            overrides,
            salt,
        })?);
        let mut parsed = self.parsed.borrow_mut();
        // An older revision of the same stack is not asked for again.
        parsed.retain(|known, _| known.stack != key.stack || known.overrides != key.overrides);
        if parsed.len() >= STACKS_MAX {
            parsed.pop_first();
        }
        parsed.insert(key, Arc::clone(&declared));
        Ok(declared)
    }
}
