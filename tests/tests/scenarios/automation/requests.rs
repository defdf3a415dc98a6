//! Runs that somebody asks for over HTTP: whatever is lost or cut off, each is done once and has an answer,
//! and nothing destructive happens without the consent to it, or twice.

use kedge_core::report::StackVerdict;
use kedge_engine::DueScope;
use kedge_sandbox::Logged;
use kedge_service::work::Work;
use kedge_tests::platform::Platform;
use kedge_tests::ports::CrashPoint;
use kedge_tests::pushed::commit;
use kedge_tests::stack::{Stack, describe};
use serde_json::{Value, json};

use super::http::Caller;
use super::messages::{drift, send};
use super::{assert_settled, deployed, running};
use crate::scenarios::set_config;

/// A stack that automation does not correct: its first topic was changed by hand, and its last is removed from
/// the definitions and to be deleted.
fn left() -> Stack {
    let mut stack = deployed(&["see1"]).remove(0);
    stack.policy("correct: none, deploy: safe, correct_after: 0, prune: true");
    stack.topics(&[("a", "retention_ms: 3600000"), ("b", "")]);
    let mut pushing = commit(2);
    pushing.consent.removals = true;
    stack.push(&pushing);
    // That resources may be deleted at all is agreed to first.
    let _ = stack.person(&["policy"]);
    stack.wait_minutes(60);
    let _ = running(std::slice::from_ref(&stack));
    drift(&stack);
    stack.wait_minutes(20);
    stack
}

/// Somebody looked at its plan.
struct Asking {
    stack: Stack,
    platform: Platform,
    caller: Caller,
    digest: String,
}

impl Asking {
    fn of(stack: &Stack) -> Self {
        let stack = stack.fork();
        let platform = Platform::over(&stack);
        let caller = Caller::new(&stack.ports);
        let digest = caller.previews(&platform, &stack);
        stack.crash_at(None);
        platform.ports.sandbox.clear_requests();
        Self {
            stack,
            platform,
            caller,
            digest,
        }
    }

    /// Asks for the `up` of that plan.
    fn up(&self, allow: &[&str], key: &str) -> Option<String> {
        let path = format!("{}/up", self.stack.name);
        let body = json!({"digest": self.digest, "allow": allow});
        let call = self
            .caller
            .call(&self.platform, &path, Some(body), Some(key));
        let asked = self.platform.ports.executor.run(call);
        let asked = asked.ok()?;
        assert_eq!(asked.status, 202, "{asked:?}");
        asked.id()
    }

    /// Ticks and works as a platform does, for so many minutes.
    fn goes_on(&self, minutes: i64) {
        for _ in 0..minutes / 5 {
            self.platform.tick(DueScope::Due).unwrap().unwrap();
            self.platform.work(1);
            self.stack.wait_minutes(5);
        }
    }

    fn run(&self, id: &str) -> Value {
        self.caller.run(&self.platform, &self.stack, id)
    }

    /// The writes of a method that were carried out.
    fn count(&self, method: &str) -> usize {
        let sent = self.platform.ports.sandbox.requests();
        let is_meant = |sent: &&Logged| sent.write && sent.applied && sent.method == method;
        sent.iter().filter(is_meant).count()
    }

    /// Whatever is left is done by somebody who looks again, and then nothing changes.
    fn heals(&mut self) {
        self.goes_on(10);
        self.digest = self.caller.previews(&self.platform, &self.stack);
        let world = self.platform.ports.sandbox.world().to_string();
        let allow = if world.contains("see1-c") {
            ALLOWED
        } else {
            &[]
        };
        let id = self.up(allow, "again").unwrap();
        self.goes_on(10);
        let run = self.run(&id);
        assert_eq!(run["status"], "done", "{run:#}");
        let report = self.stack.check();
        let described = describe(&report);
        assert_eq!(report.verdict(), StackVerdict::Clean, "{described}");
        assert_settled(std::slice::from_ref(&self.stack), &self.platform);
    }
}

const ALLOWED: &[&str] = &["see1-c"];

#[test]
fn an_up_of_a_plan_that_is_out_of_date_says_what_to_do_next() {
    let mut asking = Asking::of(&left());
    // Somebody changes something else after the preview.
    set_config(&asking.stack, "see1-a", json!({"retention_ms": 900_000}));
    let id = asking.up(ALLOWED, "k").unwrap();
    asking.platform.work(1);
    let run = asking.run(&id);
    assert_eq!(run["status"], "refused", "{run:#}");
    assert_eq!(run["document"]["next"], "POST /v1/stacks/see1/preview");
    assert_eq!((asking.count("PUT"), asking.count("DELETE")), (0, 0));
    asking.heals();
}

#[test]
fn an_up_whose_message_is_lost_is_sent_again_by_a_tick_and_done_once() {
    let asking = Asking::of(&left());
    let id = asking.up(ALLOWED, "k").unwrap();
    asking.platform.queue.lose_all();
    assert_eq!(asking.run(&id)["status"], "queued");
    // It is not taken for lost at once.
    let ticked = asking.platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!(ticked.requests, 0);
    asking.stack.wait_minutes(1);
    // Two ticks before anybody works on it, so there are two messages.
    for _ in 0..2 {
        let ticked = asking.platform.tick(DueScope::Due).unwrap().unwrap();
        assert_eq!(ticked.requests, 1);
    }
    asking.platform.work(1);
    let run = asking.run(&id);
    assert_eq!(run["status"], "done", "{run:#}");
    assert_eq!((asking.count("PUT"), asking.count("DELETE")), (1, 1));
    let ticked = asking.platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!(ticked.requests, 0);
    // The same request once more is told the answer, and nothing is sent.
    let waiting = asking.platform.waiting();
    let path = "see1/up";
    let body = json!({"digest": asking.digest, "allow": ALLOWED});
    let again = asking
        .caller
        .asks(&asking.platform, path, Some(body), Some("k"));
    assert_eq!((again.status, again.id()), (200, Some(id)));
    assert_eq!(asking.platform.waiting(), waiting);
    asking.goes_on(20);
    assert_eq!((asking.count("PUT"), asking.count("DELETE")), (1, 1));
    assert_eq!(asking.stack.check().verdict(), StackVerdict::Clean);
    assert_settled(&[asking.stack], &asking.platform);
}

#[test]
fn an_up_that_nobody_worked_on_for_an_hour_is_not_done_any_more() {
    let mut asking = Asking::of(&left());
    let id = asking.up(ALLOWED, "k").unwrap();
    asking.platform.queue.lose_all();
    asking.stack.wait_minutes(60);
    let ticked = asking.platform.tick(DueScope::Due).unwrap().unwrap();
    assert_eq!(ticked.requests, 0);
    // Its message turns up after all.
    let late = Work::Request {
        stack: asking.stack.name.clone(),
        id: id.clone(),
    };
    send(&asking.platform, &late);
    asking.goes_on(20);
    assert_eq!(asking.run(&id)["status"], "expired");
    assert_eq!((asking.count("PUT"), asking.count("DELETE")), (0, 0));
    asking.heals();
}

/// What came of an `up` whose work was cut off, and how many changes were made: corrections and deletions.
fn cut_off(stack: &Stack, allow: &[&str], point: CrashPoint) -> (String, usize, usize) {
    let mut asking = Asking::of(stack);
    let id = asking.up(allow, "k").unwrap();
    asking.stack.crash_at(Some(point));
    asking.platform.work(1);
    asking.stack.crash_at(None);
    assert_eq!(
        asking.platform.queue.set_aside.borrow().len(),
        0,
        "{point:?}"
    );
    asking.goes_on(20);
    let run = asking.run(&id);
    let status = run["status"].as_str().unwrap().to_owned();
    let (puts, deletes) = (asking.count("PUT"), asking.count("DELETE"));
    assert!(puts <= 1 && deletes <= 1, "{point:?}: {puts} {deletes}");
    // What is said is what was done.
    match status.as_str() {
        "done" => assert_eq!(puts, 1, "{point:?}"),
        "failed" => {
            let text = run["document"]["error"].as_str().unwrap();
            assert!(text.starts_with("the run broke off"), "{text}");
        }
        other => panic!("{point:?}: {other}"),
    }
    asking.heals();
    assert_eq!(
        (asking.count("PUT"), asking.count("DELETE")),
        (1, 1),
        "{point:?}"
    );
    (status, puts, deletes)
}

fn cut_off_anywhere(allow: &[&str]) -> Vec<(String, usize, usize)> {
    let stack = left();
    let calls = {
        let asking = Asking::of(&stack);
        asking.up(allow, "k").unwrap();
        asking.stack.crash_at(None);
        asking.platform.work(1);
        asking.platform.ports.calls.get()
    };
    assert!(calls > 15, "{calls}");
    let points = (1..=calls).flat_map(|call| [CrashPoint::Before(call), CrashPoint::After(call)]);
    let found: Vec<_> = points.map(|point| cut_off(&stack, allow, point)).collect();
    for status in ["done", "failed"] {
        assert!(found.iter().any(|one| one.0 == status), "{found:?}");
    }
    found
}

#[test]
fn an_up_that_is_cut_off_at_any_port_call_is_answered_and_deletes_once() {
    for (status, _, deletes) in cut_off_anywhere(ALLOWED) {
        assert!(status == "failed" || deletes == 1);
    }
}

#[test]
fn an_up_that_is_cut_off_at_any_port_call_deletes_nothing_without_consent() {
    for (_, _, deletes) in cut_off_anywhere(&[]) {
        assert_eq!(deletes, 0);
    }
}

/// The request itself is cut off at any port call, and sent again under its key.
#[test]
fn a_request_for_an_up_that_is_cut_off_is_done_once() {
    let stack = left();
    let calls = {
        let asking = Asking::of(&stack);
        asking.up(ALLOWED, "k").unwrap();
        asking.platform.ports.calls.get()
    };
    for point in (1..=calls).flat_map(|call| [CrashPoint::Before(call), CrashPoint::After(call)]) {
        let asking = Asking::of(&stack);
        asking.stack.crash_at(Some(point));
        assert_eq!(asking.up(ALLOWED, "k"), None, "{point:?}");
        asking.stack.crash_at(None);
        let id = asking.up(ALLOWED, "k").unwrap();
        asking.platform.work(1);
        asking.goes_on(20);
        assert_eq!(asking.run(&id)["status"], "done", "{point:?}");
        assert_eq!(
            (asking.count("PUT"), asking.count("DELETE")),
            (1, 1),
            "{point:?}"
        );
        assert_settled(&[asking.stack], &asking.platform);
    }
}
