//! A check beside a run that changes the stack, and after one that broke off: what we do ourselves is
//! never drift.

use futures_util::future::{Either, join, select};
use kedge_core::compare::{Cause, Difference, Verdict};
use kedge_core::compare::{OpenRun, Stage};
use kedge_core::report::{Report, StackVerdict};
use kedge_engine::StateCommand;
use kedge_tests::authority::Authorisation;
use kedge_tests::pause::{Paused, paused};
use kedge_tests::ports::CrashPoint;
use kedge_tests::stack::{GMAIL, LEASE_OVER_MS, LEAVER, Stack, describe, difference, person};
use serde_json::{Value, json};

use super::leases::{drive, run};
use super::{deed, set_config};

/// A world in which something is to be done, and who does it.
struct World {
    name: &'static str,
    stack: Stack,
    by: Authorisation,
    /// Whether somebody else changed something before, so that a check may find drift.
    has_drift: bool,
}

fn standing(nodes: &[&str]) -> Stack {
    let mut stack = Stack::new();
    stack.policy("correct: safe, deploy: disruptive, correct_after: 0, prune: true");
    let mut stack = stack.with_small();
    stack.mail_for(&[GMAIL, LEAVER], "");
    stack.nodes(nodes);
    stack.unattended();
    stack.wait_minutes(90);
    assert_eq!(stack.check().verdict(), StackVerdict::Clean);
    stack
}

const TWO: &str = "name: n1, ips: [192.0.2.1, 192.0.2.2], domain: n1.clustera.io";

fn edited(edit: impl Fn(&mut Stack)) -> Stack {
    let mut stack = standing(&[TWO]);
    edit(&mut stack);
    stack
}

/// Every verb, bindings and record sets.
fn worlds() -> Vec<World> {
    let world = |name, stack, allow: &[&str]| World {
        name,
        stack,
        by: person(allow),
        has_drift: false,
    };
    let update = edited(|stack| {
        stack.topics(&[
            ("a", "retention_ms: 7200000, description: one"),
            ("b", "partitions: 4"),
            ("b-dlq", ""),
        ]);
        stack.mail_for(&[GMAIL, LEAVER], "ack_deadline_seconds: 60");
        stack.nodes(&["name: n1, ips: [192.0.2.2, 192.0.2.3], domain: n1.clustera.io, ttl: 600"]);
    });
    let members = edited(|stack| stack.mail_for(&[GMAIL, "user:ana@example.com"], ""));
    let delete = edited(|stack| {
        stack.topics(&[("a", "retention_ms: 3600000"), ("b", "partitions: 2")]);
        stack.files.remove("area/pubsub.yaml");
        stack.nodes(&[]);
    });
    let replace = edited(|stack| {
        stack.mail_for(&[GMAIL, LEAVER], "filter: 'attributes.x = \"1\"'");
    });
    let keys = [
        "dev-b-dlq",
        "dev-mail-sub",
        "dev-mail/roles/pubsub.publisher",
        "pubsub-topic/dev-mail",
        "n1.clustera.io",
    ];
    let recreate = edited(|stack| {
        deed(stack, json!({"do": "delete_topic", "topic": "dev-a"}));
        deed(
            stack,
            json!({"do": "delete_pubsub_topic", "topic": "dev-mail"}),
        );
        deed(
            stack,
            json!({"do": "remove_record", "name": "n1.clustera.io"}),
        );
    });
    vec![
        world("create", Stack::small(), &[]),
        world("update", update, &[]),
        world("members", members, &["dev-mail/roles/pubsub.publisher"]),
        world("delete", delete, &keys),
        world("replace", replace, &["dev-mail-sub"]),
        World {
            has_drift: true,
            ..world("recreate", recreate, &["dev-mail-sub"])
        },
        world("retire", standing(&[TWO]), &[]),
    ]
    .into_iter()
    .map(|world| match world.name {
        "retire" => {
            let retire = |expected_digest| StateCommand::Retire { expected_digest };
            let report = world.stack.dry_run(&retire(None)).unwrap();
            let by = Authorisation::Command(retire(Some(report.plan.digest)));
            World { by, ..world }
        }
        _ => world,
    })
    .collect()
}

/// One check of this runner, to be driven beside others.
async fn look(stack: &Stack) -> Report {
    stack.checking(&|_| {}).await.unwrap().report
}

/// What state names as begun.
fn begun(stack: &Stack) -> Vec<String> {
    let state: Value = serde_json::from_str(&stack.state_text()).unwrap_or_default();
    let intents = state["applying"]["intents"].as_object().cloned();
    intents
        .unwrap_or_default()
        .into_iter()
        .map(|(key, _)| key)
        .collect()
}

/// The drifts that checks remember.
fn remembered(stack: &Stack) -> Vec<String> {
    let watch = stack.ports.store.text("stacks/dev/watch.json");
    let watch: Value = serde_json::from_str(&watch).unwrap_or_default();
    let seen = watch["first_seen"].as_object().cloned().unwrap_or_default();
    seen.into_iter().map(|(key, _)| key).collect()
}

fn drifted(report: &Report) -> Vec<&Difference> {
    let all = report.comparison.differences.values();
    all.filter(|one| one.is_drift() || one.whole == Some(Cause::Missing))
        .collect()
}

/// Nothing of what is under change is said to be drift, or gone, and nothing of it is remembered.
#[track_caller]
fn says_no_drift(stack: &Stack, world: &World, report: &Report, at: &str) {
    let at = format!("{} {at}\n{}", world.name, describe(report));
    let is_working = report.open_run.as_ref().is_some_and(OpenRun::is_working);
    if world.has_drift && !is_working {
        return;
    }
    assert_eq!(drifted(report), Vec::<&Difference>::new(), "{at}");
    // A binding of which the topic goes between two reads can't be read, where it goes for good.
    let may_be_unread = report.unverified.is_some() || world.name == "retire";
    let is_whole = report.verdict() < StackVerdict::Incomplete || may_be_unread;
    assert!(is_whole, "{at}");
    if !world.has_drift {
        assert_eq!(remembered(stack), Vec::<String>::new(), "{at}");
    }
}

/// How many calls the run makes when nothing happens beside it.
fn calls_of(world: &World) -> u64 {
    let calm = world.stack.fork();
    calm.crash_at(None);
    let (_, changed) = calm.up(&world.by).unwrap().unwrap();
    assert!(
        changed.is_complete() && changed.done() > 0,
        "{}",
        world.name
    );
    calm.ports.calls.get()
}

#[test]
fn at_every_call_of_a_run_a_check_says_who_changes_what() {
    for world in worlds() {
        let mut under_way = 0;
        for call in 1..=calls_of(&world) {
            let stack = world.stack.fork();
            let (runner, other) = (stack.beside(), stack.beside());
            let pause = Paused {
                call,
                ms: 5_000,
                asleep: false,
            };
            let (upped, (report, keys)) = drive(&stack, async {
                let checking = async {
                    super::leases::reaches(&runner, call).await;
                    stack.ports.executor.sleep(1_000).await;
                    (look(&other).await, begun(&stack))
                };
                join(
                    paused(&runner.ports, pause, run(&runner, &world.by)),
                    checking,
                )
                .await
            });
            let at = format!("call {call}");
            assert!(
                upped.is_ok(),
                "{} {at}: {}",
                world.name,
                super::leases::short(&upped)
            );
            says_no_drift(&stack, &world, &report, &at);
            if !keys.is_empty() {
                under_way += 1;
                says_who(&report, &keys, &format!("{} {at}", world.name));
            }
            let after = stack.check();
            assert!(after.open_run.is_none(), "{}", describe(&after));
            if world.name != "retire" {
                assert_eq!(
                    after.verdict(),
                    StackVerdict::Clean,
                    "{at} {}",
                    describe(&after)
                );
                assert_eq!(remembered(&stack), Vec::<String>::new(), "{at}");
            }
        }
        assert!(under_way > 2, "{}: {under_way}", world.name);
    }
}

/// The report says who changes the stack, and of each of its resources that differs that it is so.
#[track_caller]
fn says_who(report: &Report, keys: &[String], at: &str) {
    let at = format!("{at}\n{}", describe(report));
    let open = report.open_run.as_ref().unwrap_or_else(|| panic!("{at}"));
    assert!(matches!(open.stage, Stage::Working { .. }), "{at}");
    let says = open.to_string();
    assert!(
        says.starts_with("the stack is being changed by ana@laptop (run ")
            && says.contains(" s ago"),
        "{says}"
    );
    for difference in report.comparison.differences.values() {
        if difference.verdict == Verdict::InSync || !keys.contains(&difference.key.to_string()) {
            continue;
        }
        assert_eq!(difference.verdict, Verdict::CatchingUp, "{at}");
        let notes = difference.notes.join("\n");
        assert!(notes.contains("being changed by ana@laptop (run "), "{at}");
    }
}

#[test]
fn checks_while_a_run_works_never_say_drift() {
    for world in worlds() {
        for seed in 0..4 {
            let stack = world.stack.fork();
            let (runner, other) = (stack.beside(), stack.beside());
            runner.ports.latency_ms.set(300 + 130 * seed);
            other.ports.latency_ms.set(20 + 35 * seed);
            stack.ports.jitter_ms.set(10);
            let (mut looks, mut discarded) = (0, 0);
            drive(&stack, async {
                let upped = async {
                    let upped = run(&runner, &world.by).await;
                    assert!(upped.is_ok(), "{upped:?}");
                };
                let mut upped = std::pin::pin!(upped);
                loop {
                    let looking = std::pin::pin!(look(&other));
                    let report = match select(upped, looking).await {
                        Either::Left(_) => break,
                        Either::Right((report, still)) => {
                            upped = still;
                            report
                        }
                    };
                    looks += 1;
                    discarded += usize::from(report.unverified.is_some());
                    says_no_drift(
                        &stack,
                        &world,
                        &report,
                        &format!("seed {seed} look {looks}"),
                    );
                }
            });
            let name = world.name;
            assert!(
                looks > 1 && discarded < 2,
                "{name} {seed}: {looks} {discarded}"
            );
        }
    }
}

#[test]
fn many_deletions_under_way_are_no_mass_absence() {
    let mut stack = Stack::new();
    stack.many_topics(40, "");
    stack.unattended();
    stack.wait_minutes(90);
    let retire = StateCommand::Retire {
        expected_digest: None,
    };
    let report = stack.dry_run(&retire).unwrap();
    let seen = Some(report.plan.digest);
    let world = World {
        name: "many",
        by: Authorisation::Command(StateCommand::Retire {
            expected_digest: seen,
        }),
        stack,
        has_drift: false,
    };
    // State is written once a second, and thirty are deleted in that time.
    let (runner, other) = (world.stack.beside(), world.stack.beside());
    let call = calls_of(&world) - 8;
    let mut catching_up = 0;
    drive(&world.stack, async {
        let pause = Paused {
            call,
            ms: 5_000,
            asleep: false,
        };
        let checking = async {
            super::leases::reaches(&runner, call).await;
            world.stack.ports.executor.sleep(1_000).await;
            let report = look(&other).await;
            says_no_drift(&world.stack, &world, &report, "in the middle");
            catching_up = report.count(&[Verdict::CatchingUp]);
        };
        let upped = paused(&runner.ports, pause, run(&runner, &world.by));
        let (upped, ()) = join(upped, checking).await;
        assert!(upped.is_ok(), "{upped:?}");
    });
    assert!(catching_up > 20, "{catching_up}");
}

#[test]
fn after_a_crash_at_every_call_a_check_says_that_the_run_broke_off() {
    for world in worlds() {
        let mut broken = 0;
        let points = (1..=calls_of(&world))
            .flat_map(|call| [CrashPoint::Before(call), CrashPoint::After(call)]);
        for point in points {
            let stack = world.stack.fork();
            stack.crash_at(Some(point));
            assert!(stack.up(&world.by).is_err(), "{} {point:?}", world.name);
            stack.crash_at(None);
            let keys = begun(&stack);
            // Nobody can tell yet that it is gone: its lease stands.
            let soon = stack.check();
            says_no_drift(&stack, &world, &soon, &format!("right after {point:?}"));
            if !keys.is_empty() {
                says_who(&soon, &keys, &format!("{} {point:?}", world.name));
            }
            stack.wait_ms(LEASE_OVER_MS);
            let report = stack.check();
            let at = format!("{} after {point:?}\n{}", world.name, describe(&report));
            if keys.is_empty() {
                assert!(report.open_run.is_none(), "{at}");
                continue;
            }
            broken += 1;
            let open = report.open_run.as_ref().unwrap_or_else(|| panic!("{at}"));
            assert!(
                matches!(
                    open.stage,
                    Stage::BrokeOff {
                        last_seen: Some(_),
                        next: None
                    }
                ),
                "{at}"
            );
            let says = open.to_string();
            assert!(
                says.contains("ana@laptop's run ") && says.contains("was interrupted 1 min"),
                "{says}"
            );
            if world.name != "retire" {
                says_no_drift(&stack, &world, &report, &format!("{point:?}"));
            }
        }
        assert!(broken > 2, "{}: {broken}", world.name);
    }
}

#[test]
fn what_somebody_else_changes_beside_a_run_is_drift() {
    let stack = edited(|stack| {
        stack.topics(&[
            ("a", "retention_ms: 7200000"),
            ("b", "partitions: 2"),
            ("b-dlq", ""),
        ]);
        stack.nodes(&["name: n1, ips: [192.0.2.1, 192.0.2.2, 192.0.2.3], domain: n1.clustera.io"]);
    });
    let world = World {
        name: "third value",
        stack,
        by: person(&[]),
        has_drift: false,
    };
    let mut found = 0;
    for call in 1..=calls_of(&world) {
        let stack = world.stack.fork();
        let (runner, other) = (stack.beside(), stack.beside());
        let pause = Paused {
            call,
            ms: 5_000,
            asleep: false,
        };
        drive(&stack, async {
            let checking = async {
                super::leases::reaches(&runner, call).await;
                stack.ports.executor.sleep(1_000).await;
                if begun(&stack).len() < 2 {
                    return;
                }
                // Neither what was there nor what is to be.
                set_config(&stack, "dev-a", json!({"retention_ms": 5000}));
                deed(
                    &stack,
                    json!({"do": "add_address", "name": "n1.clustera.io", "address": "192.0.2.77"}),
                );
                let report = look(&other).await;
                for key in ["dev-a", "n1.clustera.io"] {
                    let one = difference(&report, key);
                    assert!(one.is_drift(), "call {call}: {}", describe(&report));
                    let notes = one.notes.join("\n");
                    assert!(notes.contains("being changed by ana@laptop"), "{notes}");
                }
                found += 1;
            };
            let _ = join(
                paused(&runner.ports, pause, run(&runner, &world.by)),
                checking,
            )
            .await;
        });
    }
    assert!(found > 0);
}

#[test]
fn an_outcome_that_nobody_knows_is_said_and_is_no_crash() {
    use kedge_sandbox::{Effect, Provider};
    let stack = edited(|stack| {
        stack.topics(&[
            ("a", "retention_ms: 7200000"),
            ("b", "partitions: 2"),
            ("b-dlq", ""),
        ]);
    });
    stack.ports.sandbox.add_fault(kedge_sandbox::Fault {
        matches: kedge_sandbox::Matches {
            provider: Some(Provider::Aiven),
            write: Some(true),
            ..kedge_sandbox::Matches::default()
        },
        effect: Effect::LoseAnswer { applied: false },
        times: None,
    });
    let (_, changed) = stack.person(&[]);
    assert!(!changed.is_complete());
    stack.ports.sandbox.clear_faults();
    stack.wait_minutes(5);
    let report = stack.check();
    let open = report.open_run.as_ref().unwrap();
    assert_eq!(open.stage, Stage::OutcomeUnknown);
    assert!(
        open.to_string()
            .contains("the outcome of 1 change by ana@laptop's run "),
        "{open}"
    );
    assert_eq!(drifted(&report), Vec::<&Difference>::new());
    let notes = difference(&report, "dev-a").notes.join("\n");
    assert!(notes.contains("is not known yet"), "{notes}");
    stack.person(&[]);
    stack.assert_settled();
}
