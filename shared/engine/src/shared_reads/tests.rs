//! One stack sends, the others wait, and nobody waits for one that is gone.

use std::cell::Cell;
use std::task::Context;

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, pending};
use http::Request;
use kedge_core::ran_out::RanOut;

use super::*;
use crate::ports::HttpError;

fn request(body: &'static str) -> ReadRequest {
    let body = Bytes::from_static(body.as_bytes());
    let request = Request::builder()
        .method("POST")
        .uri("https://h/v2")
        .body(body);
    ReadRequest::new(ProviderName::Aiven, "topics.list", request.unwrap())
}

fn answer(status: u16) -> Outcome {
    let response = Response::builder()
        .status(status)
        .body(Bytes::from_static(b"x"));
    Ok(response.unwrap())
}

fn poll<T>(work: &mut LocalBoxFuture<'_, T>) -> Option<T> {
    match work
        .as_mut()
        .poll(&mut Context::from_waker(std::task::Waker::noop()))
    {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The status where there is an answer, of what has ended.
fn ended(work: &mut LocalBoxFuture<'_, Outcome>) -> Option<Result<u16, CallError>> {
    poll(work).map(|outcome| outcome.map(|response| response.status().as_u16()))
}

/// An answer that comes once it may, and is counted when it is asked for.
async fn answers(asked: &Cell<usize>, may: &Cell<bool>, outcome: Outcome) -> Outcome {
    asked.set(asked.get() + 1);
    poll_fn(|_| match may.get() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
    outcome
}

#[test]
fn what_is_under_way_or_answered_for_good_is_not_sent_again() {
    for (code, again) in [
        (200, 0),
        (404, 0),
        (403, 0),
        (401, 1),
        (429, 1),
        (408, 1),
        (503, 1),
    ] {
        let (reads, asked, may) = (SharedReads::default(), Cell::default(), Cell::default());
        let (one, other) = (request("a"), request("b"));
        let send = |request| {
            let sending = answers(&asked, &may, answer(code));
            reads.once(request, sending).boxed_local()
        };
        let [mut first, mut second, mut another] = [send(&one), send(&one), send(&other)];
        assert!(poll(&mut first).is_none() && poll(&mut second).is_none());
        assert!(poll(&mut another).is_none());
        assert_eq!(asked.get(), 2, "{code}");
        may.set(true);
        // All that wait get it, whatever it is.
        assert!(poll(&mut first).is_some() && poll(&mut another).is_some());
        assert_eq!(ended(&mut second), Some(Ok(code)));
        assert_eq!(asked.get(), 2);
        assert_eq!(ended(&mut send(&one)), Some(Ok(code)));
        assert_eq!(asked.get(), 2 + again, "{code}");
    }
}

#[test]
fn no_answer_is_shared_with_those_that_wait_and_not_kept() {
    let (reads, asked, may) = (SharedReads::default(), Cell::default(), Cell::default());
    let request = request("a");
    let error = CallError::Http(HttpError::Timeout(1));
    let send = || {
        let sending = answers(&asked, &may, Err(error.clone()));
        reads.once(&request, sending).boxed_local()
    };
    let [mut first, mut second] = [send(), send()];
    assert!(poll(&mut first).is_none() && poll(&mut second).is_none());
    may.set(true);
    assert_eq!(ended(&mut first), Some(Err(error.clone())));
    assert_eq!(ended(&mut second), Some(Err(error.clone())));
    assert_eq!(asked.get(), 1);
    assert_eq!(ended(&mut send()), Some(Err(error.clone())));
    assert_eq!(asked.get(), 2);
}

#[test]
fn who_may_not_send_or_is_gone_leaves_its_turn_to_another() {
    let (reads, asked, may) = (SharedReads::default(), Cell::default(), Cell::default());
    let request = request("a");
    let ran_out = CallError::unsent(RanOut::Requests { needs: 1, left: 0 });
    let send = |outcome| {
        let sending = answers(&asked, &may, outcome);
        reads.once(&request, sending).boxed_local()
    };
    let mut gone = reads.once(&request, pending()).boxed_local();
    let [mut poor, mut rich] = [send(Err(ran_out.clone())), send(answer(200))];
    assert!(poll(&mut gone).is_none() && poll(&mut poor).is_none() && poll(&mut rich).is_none());
    assert_eq!(asked.get(), 0);
    drop(gone);
    may.set(true);
    assert_eq!(ended(&mut poor), Some(Err(ran_out.clone())));
    assert_eq!(ended(&mut rich), Some(Ok(200)));
    assert_eq!(asked.get(), 2);
    // What it got is for all.
    assert_eq!(ended(&mut send(Err(ran_out))), Some(Ok(200)));
}

#[test]
fn answers_are_never_shown() {
    let reads = SharedReads::default();
    let asked = request("s3cret");
    let mut send = reads.once(&asked, async { answer(200) }).boxed_local();
    assert!(poll(&mut send).is_some());
    assert_eq!(format!("{reads:?}"), "SharedReads { asked: 1 }");
}
