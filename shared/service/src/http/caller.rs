//! Who asks, and whether they may. A stack is named in an answer only to who may see it.

use ::http::header::AUTHORIZATION;
use ::http::request::Parts;
use kedge_core::model::StackName;
use kedge_core::stored::token::{Token, TokenEnd, TokenScope};
use kedge_engine::ports::{Clock, Store};

use super::problem::{Problem, ProblemKind};
use super::query::header;
use crate::instance::TooMany;
use crate::service::Service;
use crate::tokens::{Presented, TokenRefused, Verified};

/// What an `Authorization` says.
enum Authorization {
    Nothing,
    /// Another scheme, or a token of another form.
    Strange,
    Token(Presented),
}

impl Authorization {
    fn read(head: &Parts) -> Result<Self, Problem> {
        let Some(value) = header(&head.headers, &AUTHORIZATION)? else {
            return Ok(Self::Nothing);
        };
        let token = value.split_once(' ').and_then(|(scheme, token)| {
            let is_bearer = scheme.eq_ignore_ascii_case("bearer");
            is_bearer.then(|| Presented::parse(token.trim_start_matches(' ')))?
        });
        Ok(token.map_or(Self::Strange, Self::Token))
    }
}

impl<P: Clock, S: Store, Q> Service<'_, P, S, Q> {
    /// Finds out who asks. Before the store is asked, whoever it is must not ask too often.
    pub(super) async fn verified(&self, head: &Parts) -> Result<Verified, Problem> {
        let authorization = Authorization::read(head)?;
        let refused = |detail: &str| Problem::token(ProblemKind::TokenRefused, detail);
        // What is no token costs the store nothing.
        let presented = match authorization {
            Authorization::Token(presented) => presented,
            Authorization::Nothing => {
                let detail = "send `Authorization: Bearer TOKEN`";
                return Err(Problem::token(ProblemKind::NoToken, detail));
            }
            Authorization::Strange => return Err(refused("it has not the form of a token")),
        };
        let instance = self.settings.instance;
        let now_ms = self.ports.monotonic_ms();
        instance
            .take_for(&presented.fingerprint(), now_ms)
            .map_err(too_many)?;
        match presented.verify(self.store, self.ports.now()).await {
            Ok(verified) => {
                instance.prove(presented.fingerprint(), now_ms);
                Ok(verified)
            }
            Err(TokenRefused::Unknown) => Err(refused("it is not known")),
            Err(TokenRefused::Ended(TokenEnd::Expired)) => Err(refused("it has expired")),
            Err(TokenRefused::Ended(TokenEnd::Revoked)) => Err(refused("it was revoked")),
            Err(TokenRefused::Store(error)) => Err(error.into()),
        }
    }
}

/// Asked too often.
pub(super) fn too_many(TooMany { after_ms }: TooMany) -> Problem {
    let seconds = after_ms.max(1).saturating_add(999) / 1000;
    let detail = format!("try again in {seconds} s");
    Problem::new(ProblemKind::TooManyRequests, detail).after_s(seconds)
}

/// Whether a token may do this: by its scope, and with a stack by the stack's name alone, whether it is
/// there or not.
pub(super) fn may(
    token: &Token,
    scope: TokenScope,
    stack: Option<&str>,
) -> Result<Option<StackName>, Problem> {
    if !token.scopes.contains(&scope) {
        let detail = format!("it needs the scope `{}`", scope.as_str());
        return Err(Problem::new(ProblemKind::WrongScope, detail));
    }
    let Some(name) = stack else {
        return Ok(None);
    };
    // Nothing can have such a name, so this says nothing of what is there.
    let stack = StackName::new(name).map_err(|_| Problem::of(ProblemKind::UnknownStack))?;
    match token.may(scope, &stack) {
        true => Ok(Some(stack)),
        false => Err(Problem::of(ProblemKind::WrongStack)),
    }
}
