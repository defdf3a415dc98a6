//! By whose authority a scenario makes a run: what a shell says, and commands about state.

use kedge_engine::{By, Consent, StateCommand};

/// By whose authority a run is made.
#[derive(Debug, Clone)]
pub enum Authorisation {
    /// Automation.
    Unattended,
    /// A person who agreed.
    Person(Consent),
    /// A person who gives a command about state, and confirms it with the stack's name.
    Command(StateCommand),
}

impl Authorisation {
    /// The same as the engine has it; a command is none.
    pub(crate) fn by(&self) -> Result<By, &StateCommand> {
        match self {
            Self::Unattended => Ok(By::Policy),
            Self::Person(consent) => Ok(By::Person(consent.clone())),
            Self::Command(command) => Err(command),
        }
    }
}
