//! How often a request is sent, how long it waits, and what is known of a write afterwards, against a
//! provider that answers as it is told.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Poll, Waker};

use kedge_core::live::FailureCode;
use kedge_core::model::{Salt, Timestamp};

use crate::budget::{Budget, LAST_REQUEST_BEFORE_DEADLINE_MS};
use crate::endpoints::Endpoints;
use crate::ports::{HttpRead, HttpWrite, SignError, Signer};
use crate::session::Session;

use super::*;

type Answer = Result<(u16, &'static str), HttpError>;

/// Answers in order; the last one again and again.
struct Scripted {
    answers: RefCell<VecDeque<Answer>>,
    sent: Cell<usize>,
    now: Cell<i64>,
    waited: RefCell<Vec<u64>>,
    random: u64,
    /// The variable that is set, and its value.
    credential: (&'static str, &'static str),
}

impl Scripted {
    fn new(answers: &[Answer]) -> Self {
        Self {
            answers: RefCell::new(answers.iter().cloned().collect()),
            sent: Cell::new(0),
            now: Cell::new(0),
            waited: RefCell::default(),
            // The longest wait of each range, whose lengths divide it but for one.
            random: 7_999,
            credential: ("AIVEN_TOKEN", "t0ken-of-aiven"),
        }
    }

    fn answer(&self) -> Result<Response<Bytes>, HttpError> {
        self.sent.set(self.sent.get() + 1);
        let mut answers = self.answers.borrow_mut();
        let answer = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap(),
        };
        answer.map(|(status, body)| {
            let response = Response::builder().status(status);
            response.body(Bytes::from_static(body.as_bytes())).unwrap()
        })
    }
}

impl HttpRead for Scripted {
    async fn send_read(&self, _: &ReadRequest) -> Result<Response<Bytes>, HttpError> {
        self.answer()
    }
}

impl HttpWrite for Scripted {
    async fn send_write(&self, _: &WriteRequest) -> Result<Response<Bytes>, HttpError> {
        self.answer()
    }
}

impl Clock for Scripted {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.get())
    }

    fn monotonic_ms(&self) -> i64 {
        self.now.get()
    }

    async fn sleep_ms(&self, ms: u64) {
        self.waited.borrow_mut().push(ms);
        self.now.set(self.now.get() + i64::try_from(ms).unwrap());
    }
}

impl Random for Scripted {
    fn next_u64(&self) -> u64 {
        self.random
    }
}

impl Signer for Scripted {
    async fn sign_rs256(&self, _: &SecretText, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError("nothing to sign".to_owned()))
    }
}

impl Secrets for Scripted {
    fn secret(&self, name: &str) -> Option<SecretText> {
        let (variable, value) = self.credential;
        (name == variable).then(|| SecretText::new(value))
    }
}

/// Until when requests are begun.
const LAST_REQUEST_MS: i64 = 60_000;

fn session() -> Session {
    let ends_ms = LAST_REQUEST_MS + LAST_REQUEST_BEFORE_DEADLINE_MS;
    Session::new(
        Endpoints::default(),
        &Budget::ending_at(ends_ms),
        Salt([0; 16]),
    )
}

/// Nothing here ever waits but by the scripted clock.
fn now<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    match work
        .as_mut()
        .poll(&mut std::task::Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for nothing"),
    }
}

/// 429 with a hint of so many milliseconds, 504 is ambiguous, other errors of the server are not.
fn judge(hint: Option<u64>) -> impl Fn(&Response<Bytes>) -> Retry {
    move |response| match response.status().as_u16() {
        429 => Retry::Again { after_ms: hint },
        504 => Retry::Ambiguous,
        500.. => Retry::Again { after_ms: None },
        _ => Retry::No,
    }
}

fn read(
    ports: &Scripted,
    session: &Session,
    hint: Option<u64>,
) -> Result<Response<Bytes>, CallError> {
    let request = http::Request::new(Bytes::new());
    let request = ReadRequest::new(ProviderName::Aiven, "topics.list", request);
    let cx = Context::new(ports, session);
    now(send_read(cx, &request, judge(hint)))
}

fn write(ports: &Scripted) -> Result<WriteAnswer, WriteFailure> {
    let request = http::Request::new(Bytes::new());
    let request = WriteRequest::new(ProviderName::Aiven, "topics.list", request);
    let session = session();
    let cx = Context::new(ports, &session);
    let answer = now(send_write(cx, &request, judge(None)));
    assert_eq!(session.requests().writes, ports.sent.get() as u64);
    answer
}

fn unsent() -> Answer {
    Err(HttpError::NotSent("no address".to_owned()))
}

fn broken() -> Answer {
    Err(HttpError::Broken("reset".to_owned()))
}

#[test]
fn five_attempts_with_longer_waits_between() {
    for (random, waits) in [(7_999, [500, 1_000, 2_000, 4_000]), (8_000, [1; 4])] {
        for answers in [[Ok((503, ""))], [broken()], [Ok((504, ""))]] {
            let ports = Scripted {
                random,
                ..Scripted::new(&answers)
            };
            let session = session();
            let ended = read(&ports, &session, None);
            match &answers[0] {
                Ok((status, _)) => assert_eq!(ended.unwrap().status().as_u16(), *status),
                Err(error) => assert_eq!(ended.unwrap_err(), CallError::Http(error.clone())),
            }
            assert_eq!(ports.sent.get(), 5);
            assert_eq!(session.requests().reads, 5);
            assert_eq!(*ports.waited.borrow(), waits);
            // A 429 and its like are told as they are waited for.
            let told = session.take_waits();
            assert_eq!(told.iter().map(|wait| wait.ms).collect::<Vec<_>>(), waits);
            let status = answers[0].as_ref().ok().map(|(status, _)| *status);
            assert!(told.iter().all(|wait| wait.status == status));
        }
    }
}

#[test]
fn the_first_good_answer_ends_it() {
    for failures in 0..5 {
        let mut answers = vec![broken(); failures];
        answers.push(Ok((200, "")));
        let ports = Scripted::new(&answers);
        assert!(
            read(&ports, &session(), None)
                .unwrap()
                .status()
                .is_success()
        );
        assert_eq!(ports.sent.get(), failures + 1);
    }
    // What is not sent, or too much, is no better the second time.
    for error in [
        HttpError::Refused("read only".to_owned()),
        HttpError::TooLarge(7),
    ] {
        let ports = Scripted::new(&[Err(error.clone())]);
        assert_eq!(
            read(&ports, &session(), None).unwrap_err(),
            CallError::Http(error)
        );
        assert_eq!(ports.sent.get(), 1);
    }
}

#[test]
fn no_wait_outlasts_the_run() {
    let left = u64::try_from(LAST_REQUEST_MS).unwrap();
    // Shorter by a millisecond, it is waited for.
    let ports = Scripted::new(&[Ok((429, "")), Ok((200, ""))]);
    assert!(
        read(&ports, &session(), Some(left - 1))
            .unwrap()
            .status()
            .is_success()
    );
    assert_eq!(*ports.waited.borrow(), [left - 1]);
    for wait_ms in [left, left + 1, u64::MAX] {
        let ports = Scripted::new(&[Ok((429, "")), Ok((200, ""))]);
        let too_long = CallError::WaitTooLong {
            wait_ms,
            status: 429,
        };
        assert_eq!(
            read(&ports, &session(), Some(wait_ms)).unwrap_err(),
            too_long
        );
        assert!(ports.waited.borrow().is_empty());
    }
    // An error that asks for no wait stays what it is.
    for answer in [Ok((503, "")), Ok((504, ""))] {
        let ports = Scripted::new(std::slice::from_ref(&answer));
        ports.now.set(LAST_REQUEST_MS - 1);
        let status = answer.unwrap().0;
        let ended = read(&ports, &session(), None).unwrap();
        assert_eq!((ended.status().as_u16(), ports.sent.get()), (status, 1));
    }
}

#[test]
fn what_may_have_been_made_is_remembered() {
    let timeout = || Err(HttpError::Timeout(15_000));
    let too_large = || Err(HttpError::TooLarge(7));
    let exists = || Ok((409, "it exists"));
    for (answers, after_ambiguous) in [
        (vec![exists()], false),
        // What never left made nothing: who exists then is somebody else's.
        (vec![unsent(), exists()], false),
        (vec![unsent(), unsent(), exists()], false),
        (vec![Ok((503, "")), exists()], false),
        (vec![Ok((429, "")), exists()], false),
        (vec![timeout(), exists()], true),
        (vec![broken(), exists()], true),
        (vec![too_large(), exists()], true),
        (vec![Ok((504, "")), exists()], true),
        // Once open, it stays open.
        (vec![broken(), unsent(), exists()], true),
        (vec![unsent(), broken(), exists()], true),
        (vec![Ok((504, "")), Ok((503, "")), unsent(), exists()], true),
    ] {
        let ports = Scripted::new(&answers);
        let answer = write(&ports).unwrap();
        assert_eq!(answer.response.status(), 409);
        assert_eq!(answer.after_ambiguous, after_ambiguous, "{answers:?}");
        assert_eq!(ports.sent.get(), answers.len());
    }
    let refused = || Err(HttpError::Refused("read only".to_owned()));
    for (answers, sent, ambiguous) in [
        (vec![unsent()], 5, false),
        (vec![broken()], 5, true),
        (vec![broken(), unsent()], 5, true),
        (vec![refused()], 1, false),
        (vec![broken(), refused()], 2, true),
    ] {
        let ports = Scripted::new(&answers);
        let failure = write(&ports).unwrap_err();
        assert_eq!(failure.ambiguous, ambiguous, "{answers:?}");
        assert_eq!(ports.sent.get(), sent, "{answers:?}");
    }
    // A last answer that is no good is an answer still.
    for (answer, after_ambiguous) in [(Ok((503, "")), false), (Ok((504, "")), true)] {
        let ports = Scripted::new(&[answer]);
        let answer = write(&ports).unwrap();
        assert!(answer.response.status().is_server_error());
        assert_eq!(answer.after_ambiguous, after_ambiguous);
    }
}

#[test]
fn a_refusal_shows_no_credential() {
    for (token, status, body, shown) in [
        (
            "12345678",
            403,
            "token 12345678 is bad",
            "token [secret] is bad",
        ),
        // So short a text stands in names by chance.
        (
            "1234567",
            403,
            "topic 1234567 is bad",
            "topic 1234567 is bad",
        ),
        ("12345678", 403, "nothing of it", "nothing of it"),
        // Data to compare stays as it came.
        ("12345678", 200, "topic 12345678", "topic 12345678"),
    ] {
        let ports = Scripted {
            credential: ("AIVEN_TOKEN", token),
            ..Scripted::new(&[Ok((status, body))])
        };
        let answer = read(&ports, &session(), None).unwrap();
        assert_eq!(answer.body(), shown);
        let session = session();
        let token = SecretText::new("ya29.google");
        let key = SecretText::new("a key");
        session.google_tokens.keep(key, token, Timestamp(0));
        let ports = Scripted::new(&[Ok((403, "no ya29.google"))]);
        assert_eq!(read(&ports, &session, None).unwrap().body(), "no [secret]");
    }
}

/// A session that may make so many requests.
fn session_with(requests: u64) -> Session {
    let ends_ms = LAST_REQUEST_MS + LAST_REQUEST_BEFORE_DEADLINE_MS;
    let budget = Budget::ending_at(ends_ms).requests(requests);
    Session::new(Endpoints::default(), &budget, Salt([0; 16]))
}

#[test]
fn each_attempt_is_counted_and_the_last_one_says_what_lacked() {
    for (answer, after) in [
        (Ok((503, "")), "503"),
        (broken(), "the connection broke: reset"),
    ] {
        for requests in 1..=5 {
            let ports = Scripted::new(std::slice::from_ref(&answer));
            let session = session_with(requests);
            let ended = read(&ports, &session, None);
            assert_eq!(session.budget.spent(), requests);
            assert_eq!(ports.sent.get() as u64, requests);
            match (requests, ended) {
                // As many as there are attempts.
                (5, Ok(response)) => assert_eq!(response.status().as_u16(), 503),
                (5, Err(error)) => assert!(matches!(error, CallError::Http(_))),
                (_, Err(CallError::RanOut(unsent))) => {
                    assert_eq!(unsent.code(), FailureCode::OutOfRequests);
                    let lacked = "out of requests: needs 1 request, 0 are left";
                    let text = format!("{after}; not retried: {lacked}");
                    assert_eq!(unsent.to_string(), text);
                }
                other => panic!("{other:?}"),
            }
            // It waits for no attempt that it may not make.
            assert_eq!(ports.waited.borrow().len() as u64, requests - 1);
        }
    }
}

#[test]
fn nothing_is_sent_without_a_request_to_spend_or_too_late() {
    let ports = Scripted::new(&[Ok((200, ""))]);
    let error = read(&ports, &session_with(0), None).unwrap_err();
    let CallError::RanOut(unsent) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        unsent.to_string(),
        "out of requests: needs 1 request, 0 are left"
    );
    ports.now.set(LAST_REQUEST_MS);
    let error = read(&ports, &session(), None).unwrap_err();
    assert!(matches!(error, CallError::RanOut(unsent) if unsent.code() == FailureCode::OutOfTime));
    assert_eq!(ports.sent.get(), 0);
}

#[test]
fn the_credential_of_every_provider_is_hidden() {
    for provider in ProviderName::ALL {
        let ports = Scripted {
            credential: (provider.entry().credential.variable, "s3cret-of-it"),
            ..Scripted::new(&[Ok((403, "no s3cret-of-it"))])
        };
        let answer = read(&ports, &session(), None).unwrap();
        assert_eq!(answer.body(), "no [secret]", "{provider:?}");
    }
}
