//! What runs tell of themselves: a line for each run and for each request, with the run's id, and never a
//! secret, an address or a name of a resource.

mod listener;

use std::collections::BTreeMap;

use kedge_core::report::{Changed, Report};
use kedge_engine::ports::ProviderName;
use kedge_engine::{CheckRequest, RunError};
use kedge_sandbox::{Effect, Fault, Matches, Provider};
use kedge_tests::stack::{SECRETS, Stack, stack_name};
use serde_json::json;
use tracing::Level;

use self::listener::{Line, Told, listening};
use super::{deed, set_config, status};

/// What no line and no span may hold: credentials and hidden parts, and what would lead to them or to
/// people: addresses, queries, names of resources, answers.
const NEVER: [&str; 12] = [
    "://",
    "sandbox",
    "?",
    "pageSize",
    "hooks.example",
    "token",
    "dev-a",
    "dev-b",
    "n1.clustera",
    "192.0.2",
    "clustera-creators",
    "may not do this",
];

/// A stack of each provider, deployed long ago, in which a topic was changed and a subscription deleted.
fn drifted() -> Stack {
    let stack = Stack::small();
    stack.unattended();
    stack.wait_minutes(60);
    let _ = stack.check();
    set_config(&stack, "dev-a", json!({"retention_ms": 1000}));
    deed(
        &stack,
        json!({"do": "delete_subscription", "subscription": "dev-mail-sub"}),
    );
    stack.wait_minutes(15);
    stack.ports.latency_ms.set(40);
    stack.ports.clear_sent();
    stack
}

fn assert_shows_nothing(told: &Told) {
    let shown = format!("{told:?}");
    for text in SECRETS.iter().chain(&NEVER) {
        assert!(!shown.contains(text), "{text} is in a log: {shown}");
    }
    assert!(told.lines.iter().all(|line| line.target == "kedge"));
}

/// The one line about the end of a run.
fn summary(told: &Told) -> &Line {
    let about = [told.saying("run ended"), told.saying("run failed")].concat();
    let [line] = about.as_slice() else {
        panic!("{about:#?}");
    };
    line
}

/// The lines about requests, as `provider method status`, in order.
fn requests(told: &Told) -> Vec<String> {
    let lines = [told.saying("answered"), told.saying("no answer")].concat();
    let shown = |line: &&Line| {
        let request = line.span("request");
        let ended = format!("{}{}", line.fields.get("status"), line.fields.get("error"));
        format!(
            "{} {} {ended}",
            request.get("provider"),
            request.get("method")
        )
    };
    let mut shown: Vec<String> = lines.iter().map(shown).collect();
    shown.sort();
    shown
}

/// The same of what was sent.
fn sent(stack: &Stack) -> Vec<String> {
    let sent = stack.ports.sent.borrow();
    let shown = sent.iter().map(|one| {
        let ended = one
            .status
            .map_or("broken".to_owned(), |status| status.to_string());
        format!("{} {} {ended}", one.provider.as_str(), one.method)
    });
    let mut shown: Vec<String> = shown.collect();
    shown.sort();
    shown
}

/// Every line is within this run, or says its id itself.
fn assert_all_of_run(told: &Told) {
    let id = summary(told).fields.get("run.id");
    for line in &told.lines {
        let (own, within) = (line.fields.get("run.id"), line.within());
        let of_span = match within.first() {
            Some(&"run") => line.span("run").get("run.id"),
            _ => "",
        };
        assert!(own == id || of_span == id, "{line:?}");
    }
}

fn assert_counts(line: &Line, counts: &[(&str, i64)]) {
    for (name, count) in counts {
        assert_eq!(line.fields.number(name), *count, "{name}: {line:?}");
    }
}

#[test]
fn a_check_is_told_with_its_requests_and_without_a_secret() {
    let stack = drifted();
    let began_ms = stack.ports.executor.now_ms();
    let (_, told) = listening(|| stack.check());
    assert_shows_nothing(&told);
    let line = summary(&told);
    assert_eq!((line.level, line.message()), (Level::INFO, "run ended"));
    for (name, text) in [
        ("stack.name", "dev"),
        ("verb", "check"),
        ("outcome", "done"),
        ("verdict", "drifted"),
        ("changed", ""),
        ("failed", ""),
    ] {
        assert_eq!(line.fields.get(name), text, "{line:?}");
    }
    let duration = stack.ports.executor.now_ms() - began_ms;
    let reads = stack.ports.sent.borrow().len() as i64;
    assert!(reads >= 5, "{reads}");
    assert_counts(
        line,
        &[
            ("drifted", 2),
            ("pending", 0),
            ("not_adopted", 0),
            ("orphans", 0),
            ("unknown", 0),
            ("reads", reads),
            ("writes", 0),
            ("duration_ms", duration),
        ],
    );
    assert_eq!(requests(&told), sent(&stack));
    assert_all_of_run(&told);
}

#[test]
fn an_apply_is_told_with_its_changes() {
    let stack = drifted();
    let ((_, changed), told) = listening(|| stack.person(&[]));
    assert_shows_nothing(&told);
    let line = summary(&told);
    assert_eq!((line.level, line.message()), (Level::INFO, "run ended"));
    // It is the run of the history.
    assert_eq!(line.fields.get("run.id"), changed.run);
    assert_eq!(line.fields.get("verb"), "up");
    assert_eq!(line.fields.get("verdict"), "clean");
    let sent_by = |write| {
        stack
            .ports
            .sent
            .borrow()
            .iter()
            .filter(|one| one.write == write)
            .count()
    };
    let (reads, writes) = (sent_by(false) as i64, sent_by(true) as i64);
    assert_counts(
        line,
        &[
            ("changed", changed.done() as i64),
            ("failed", 0),
            ("drifted", 2),
            ("reads", reads),
            ("writes", writes),
        ],
    );
    assert!(changed.done() == 2 && writes >= 2, "{changed:?}");
    assert_eq!(requests(&told), sent(&stack));
    assert_all_of_run(&told);
    let run = &told
        .spans
        .iter()
        .filter(|(name, _)| *name == "run")
        .collect::<Vec<_>>();
    let [(_, run)] = run.as_slice() else {
        panic!("{run:?}");
    };
    let fields = ["stack.name", "verb", "trigger", "actor", "verdict"].map(|name| run.get(name));
    assert_eq!(fields, ["dev", "up", "test", "ana@laptop", "clean"]);
    stack.wait_minutes(60);
    stack.assert_settled();
}

#[test]
fn each_stage_and_each_request_has_its_span() {
    let stack = drifted();
    let (_, told) = listening(|| stack.unattended());
    let stages = |name: &str| told.spans.iter().filter(|(span, _)| *span == name).count();
    for name in [
        "observe",
        "authorise",
        "read_state",
        "read_definitions",
        "execute",
    ] {
        assert!(stages(name) >= 1, "{name}");
    }
    assert!(stages("compare") >= 1 && stages("compare") == stages("plan"));
    // One for each scope.
    assert_eq!(stages("read_live"), 3 * stages("observe"));
    assert_eq!(stages("request"), stack.ports.sent.borrow().len());
    let answered = told.saying("answered");
    let write = answered
        .iter()
        .find(|line| line.span("request").get("method") == "PUT");
    assert_eq!(write.unwrap().within(), ["run", "execute", "request"]);
    let list = answered
        .iter()
        .find(|line| line.span("request").get("request") == "records.list");
    let list = list.unwrap();
    assert_eq!(list.within(), ["run", "observe", "read_live", "request"]);
    assert_eq!(list.fields.number("ms"), 40);
    assert_eq!(list.span("request").number("attempt"), 1);
}

#[test]
fn a_request_that_is_sent_again_is_told_each_time() {
    let stack = drifted();
    for (effect, times) in [(status(503), 1), (Effect::CutBody, 1)] {
        stack.ports.sandbox.add_fault(Fault {
            matches: Matches {
                provider: Some(Provider::Cloudflare),
                ..Matches::default()
            },
            effect,
            times: Some(times),
        });
    }
    let (_, told) = listening(|| stack.check());
    assert_shows_nothing(&told);
    let of_cloudflare: Vec<String> = told
        .lines
        .iter()
        .filter(|line| line.within().last() == Some(&"request"))
        .filter(|line| line.span("request").get("provider") == "cloudflare")
        .map(|line| {
            let attempt = line.span("request").get("attempt");
            let ended = (line.fields.get("status"), line.fields.get("error"));
            format!("{attempt} {}{}", ended.0, ended.1)
        })
        .collect();
    assert_eq!(of_cloudflare, ["1 503", "2 broken", "3 200"]);
    let sent = stack.ports.sent.borrow().len() as i64;
    assert_counts(summary(&told), &[("reads", sent), ("unknown", 0)]);
}

#[test]
fn an_answer_that_repeats_a_credential_is_not_told() {
    let stack = drifted();
    for (provider, token) in [
        (Provider::Aiven, "aiven-s3cret-token"),
        (Provider::Cloudflare, "cf-s3cret-token"),
    ] {
        let effect = Effect::Status {
            code: 403,
            retry_after_s: None,
            try_again_s: None,
            message: Some(format!("the token {token} may not do this")),
            error_code: None,
        };
        stack.trouble(provider, "", effect);
    }
    let (_, told) = listening(|| (stack.check(), stack.unattended()));
    assert_shows_nothing(&told);
    let ended = told.saying("run ended");
    let verdicts: Vec<&str> = ended
        .iter()
        .map(|line| line.fields.get("verdict"))
        .collect();
    assert_eq!(verdicts, ["incomplete", "incomplete"]);
    assert!(ended.iter().all(|line| line.fields.number("unknown") > 0));
}

#[test]
fn the_stacks_of_a_group_are_told_apart() {
    let mut stack = Stack::small();
    let names = ["s0", "s1"].map(stack_name);
    for name in &names {
        stack.name = name.clone();
        stack.config("");
        let _: (Report, Changed) = stack.unattended();
    }
    stack.wait_minutes(60);
    stack.ports.clear_sent();
    let (bundle, invocation) = (stack.set(), stack.invocation());
    let engine = stack.engine(&bundle, &stack.variables, &invocation);
    let request = CheckRequest::default();
    let (group, told) = listening(|| stack.run(engine.check_group(&names, &request)));
    assert!(group.checks.values().all(Result::is_ok));
    assert_shows_nothing(&told);
    let reads_of = |name: &str| {
        let ended = told.saying("run ended");
        let own: Vec<_> = ended
            .iter()
            .filter(|line| line.fields.get("stack.name") == name)
            .collect();
        assert_eq!(own.len(), 1, "{ended:?}");
        (
            own[0].fields.get("run.id").to_owned(),
            own[0].fields.number("reads"),
        )
    };
    let by_run = BTreeMap::from(["s0", "s1"].map(reads_of));
    assert_eq!(by_run.len(), 2, "each has an id of its own");
    // What they share is told of the one that sent it.
    for (run, reads) in &by_run {
        let answered = told.saying("answered");
        let own = answered
            .iter()
            .filter(|line| line.span("run").get("run.id") == run);
        assert_eq!(own.count() as i64, *reads);
    }
    let (aiven, _) = stack.ports.counts(ProviderName::Aiven);
    assert!(aiven > 0);
    assert_eq!(
        by_run.values().sum::<i64>(),
        stack.ports.sent.borrow().len() as i64
    );
}

#[test]
fn a_run_that_failed_is_one_warning_with_its_causes() {
    let stack = drifted();
    stack
        .ports
        .store
        .fail_reads("stacks/dev/state.json", 0, 1_000);
    let (result, told) = listening(|| stack.try_check());
    assert!(matches!(result, Err(RunError::Memory(_))), "{result:?}");
    let line = summary(&told);
    assert_eq!((line.level, line.message()), (Level::WARN, "run failed"));
    assert_eq!(line.fields.get("stack.name"), "dev");
    assert_eq!(
        line.fields.get("error"),
        "state could not be read: the store could not be read or written: could not read stacks/dev/state.json from the store: the \
         connection broke"
    );
    assert_all_of_run(&told);
    let loud = told
        .lines
        .iter()
        .filter(|line| line.level <= Level::INFO)
        .count();
    assert_eq!(loud, 1);
}

#[test]
fn a_quiet_level_shows_nothing_but_the_end() {
    let stack = drifted();
    let (_, told) = listening(|| stack.check());
    let at = |level: Level| told.lines.iter().filter(|line| line.level == level).count();
    assert_eq!(
        (at(Level::ERROR), at(Level::WARN), at(Level::INFO)),
        (0, 0, 1)
    );
    assert_eq!(at(Level::DEBUG), stack.ports.sent.borrow().len());
    // The store, by the kind of the object.
    let store = told.saying("store");
    assert_eq!(at(Level::TRACE), store.len());
    let mut operations: Vec<String> = store
        .iter()
        .map(|line| {
            let field = |name| line.fields.get(name);
            format!(
                "{} {} {}",
                field("operation"),
                field("object"),
                field("outcome")
            )
        })
        .collect();
    operations.sort();
    let expected = [
        "get hold none",
        "get state found",
        "get state found",
        "get watch found",
        "put watch written",
    ];
    assert_eq!(operations, expected);
}
