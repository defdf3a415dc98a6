//! The raw answers that the stacks of a group share: each request is sent by one of them, repeated by that
//! one, and answered to all that send the same. What an answer means is worked out for each stack on its
//! own, with its own salt, so that nothing but bytes is shared. `group.rs` says who shares, and makes
//! requests the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::call_error::CallError;
use crate::ports::{ProviderName, ReadRequest};
use crate::wakers::Wakers;

type Outcome = Result<Response<Bytes>, CallError>;

/// What a request is, but for its credentials: all of a group are the same.
type Key = (ProviderName, String, String, Bytes);

/// The answers of one group.
#[derive(Default)]
pub(crate) struct SharedReads {
    asked: RefCell<BTreeMap<Key, Rc<Asked>>>,
}

impl fmt::Debug for SharedReads {
    /// A count only: answers may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.asked.borrow().len();
        f.debug_struct("SharedReads")
            .field("asked", &asked)
            .finish()
    }
}

/// A request that a stack sends, or that was answered.
#[derive(Default)]
struct Asked {
    state: RefCell<State>,
    waiting: Wakers,
}

#[derive(Default)]
enum State {
    #[default]
    UnderWay,
    Ended(Outcome),
    /// Who sent it could not go on. Another stack may.
    GivenUp,
}

impl Asked {
    /// How it ended; none if who sent it gave up.
    async fn outcome(&self) -> Option<Outcome> {
        poll_fn(|cx| match &*self.state.borrow() {
            State::UnderWay => {
                self.waiting.add(cx);
                Poll::Pending
            }
            State::Ended(outcome) => Poll::Ready(Some(outcome.clone())),
            State::GivenUp => Poll::Ready(None),
        })
        .await
    }

    fn end(&self, state: State) {
        self.state.replace(state);
        self.waiting.wake();
    }
}

/// The turn of one stack to send a request. If it ends without an outcome, another stack has its turn.
struct Turn<'a> {
    reads: &'a SharedReads,
    key: Key,
    asked: Rc<Asked>,
}

impl SharedReads {
    /// Sends it, or takes the answer of the stack that does or did.
    pub(crate) async fn once(
        &self,
        request: &ReadRequest,
        sending: impl Future<Output = Outcome>,
    ) -> Outcome {
        let key = key(request);
        loop {
            let known = self.asked.borrow().get(&key).cloned();
            match known {
                Some(asked) => {
                    if let Some(outcome) = asked.outcome().await {
                        return outcome;
                    }
                }
                None => {
                    let turn = self.turn(key);
                    let outcome = sending.await;
                    turn.end(&outcome);
                    return outcome;
                }
            }
        }
    }

    fn turn(&self, key: Key) -> Turn<'_> {
        let asked = Rc::<Asked>::default();
        let mut all = self.asked.borrow_mut();
        all.insert(key.clone(), Rc::clone(&asked));
        Turn {
            reads: self,
            key,
            asked,
        }
    }
}

impl Turn<'_> {
    /// All that wait get the outcome, unless it is about what this stack may spend. It is kept only if the
    /// same request would be answered alike a moment later.
    fn end(self, outcome: &Outcome) {
        if matches!(outcome, Err(CallError::RanOut(_))) {
            return;
        }
        if !is_final(outcome) {
            self.reads.asked.borrow_mut().remove(&self.key);
        }
        self.asked.end(State::Ended(outcome.clone()));
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if matches!(*self.asked.state.borrow(), State::Ended(_)) {
            return;
        }
        self.reads.asked.borrow_mut().remove(&self.key);
        self.asked.end(State::GivenUp);
    }
}

fn is_final(outcome: &Outcome) -> bool {
    let passing = [
        StatusCode::UNAUTHORIZED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    let is_final = |status: StatusCode| !status.is_server_error() && !passing.contains(&status);
    outcome
        .as_ref()
        .is_ok_and(|response| is_final(response.status()))
}

fn key(request: &ReadRequest) -> Key {
    let http = request.request();
    (
        request.provider(),
        http.method().to_string(),
        http.uri().to_string(),
        http.body().clone(),
    )
}

#[cfg(test)]
mod tests;
