//! An apply under each fault of each request that it makes after it has looked: how the change ends,
//! what state says of it, and that the next runs bring everything to where a run without faults does.

use kedge_core::change::Verb;
use kedge_core::live::FailureCode;
use kedge_core::report::{ChangeResult, Changed, StackVerdict};
use kedge_engine::ports::ProviderName;
use kedge_tests::stack::{Stack, person};
use serde_json::Value;

use super::rules::{Made, Read, Rule, Write, is_part_of, permission, read, rules};
use super::worlds::{SCENARIOS, Scenario, comparable};
use super::{Request, report, requests, same, up};

/// Runs without faults in which everything must come to rest.
const RUNS_MAX: usize = 2;

/// Whether the provider looks up what became of this write: the batch and the policy.
fn is_looked_up(request: &Request) -> bool {
    request.provider == ProviderName::Cloudflare || request.target.contains("IamPolicy")
}

/// How the change must end.
fn expected(request: &Request, rule: &Rule, verb: Verb, once: bool) -> &'static str {
    if !request.write {
        return match read(request.provider, &request.target, rule) {
            Read::Unknown { .. } if once && rule.read_again => "done",
            Read::MadeUpFor => "done",
            Read::Unknown { code, .. } => match code {
                FailureCode::Forbidden
                | FailureCode::Unauthenticated
                | FailureCode::ScopeNotFound => "blocked",
                _ => "failed",
            },
        };
    }
    let ended = match rule.write {
        _ if once && rule.write_again => "done",
        Write::Done => "done",
        Write::Blocked => "blocked",
        Write::Failed => "failed",
        Write::Open(Made::Yes) if is_looked_up(request) => "done",
        Write::Open(_) => "unknown",
    };
    // Half a replacement is neither made nor not made.
    match ended {
        "blocked" | "failed" if verb == Verb::Replace && request.method == "PUT" => "unknown",
        ended => ended,
    }
}

fn stored(stack: &Stack) -> Value {
    serde_json::from_str(&stack.state_text()).unwrap_or_default()
}

/// What state says of the change that was hit, by how it ended.
fn state_says(stack: &Stack, before: &Value, carried: &ChangeResult) -> Result<(), String> {
    let change = &carried.approved.change;
    let (state, key) = (stored(stack), change.key.to_string());
    let ended = carried.outcome.as_str();
    let is_open = !state["applying"]["intents"][&key].is_null();
    same("an open intent", &is_open, &(ended == "unknown"))?;
    let fields = |state: &Value| state["resources"][&key]["fields"].clone();
    let (was, is) = (fields(before), fields(&state));
    match (ended, change.verb) {
        ("done", Verb::Delete) => same("the record", &is, &Value::Null),
        ("done", _) => same("recorded", &is.is_null(), &false),
        // Until it is known, the record is what it was.
        _ => same("the record", &is, &was),
    }
}

/// Every other change of the run ends as without the fault, unless it needs the one that was hit.
fn others_stand(hit: &ChangeResult, changed: &Changed) -> Result<(), String> {
    for carried in &changed.results {
        let (key, ended) = (&carried.approved.change.key, carried.outcome.as_str());
        if *key == hit.approved.change.key {
            continue;
        }
        let belongs = carried.approved.composite.is_some()
            && carried.approved.composite == hit.approved.composite;
        let needs = carried.approved.needs.contains(&hit.approved.change.key) || belongs;
        let fits = match ended {
            "done" => true,
            "not-begun" => needs && hit.outcome.as_str() != "done",
            _ => false,
        };
        if !fits {
            return Err(format!("{key} is {ended}: {:?}", carried.outcome.reason()));
        }
    }
    Ok(())
}

fn names_permission(request: &Request, carried: &ChangeResult) -> Result<(), String> {
    let wanted = permission(request.provider, &request.method, &request.target);
    let reason = carried.outcome.reason().unwrap_or_default();
    match reason.contains(wanted) {
        true => Ok(()),
        false => Err(format!("{reason:?} does not name {wanted}")),
    }
}

/// The keys that the person still has to name: what is done is no longer in the plan.
fn still_planned<'a>(stack: &Stack, allow: &[&'a str]) -> Vec<&'a str> {
    if allow.is_empty() {
        return Vec::new();
    }
    let plan = stack.check().plan;
    let in_plan = |key: &&&str| {
        let mut changes = plan.changes.iter();
        changes.any(|planned| planned.change.key.answers_to(key))
    };
    allow.iter().filter(in_plan).copied().collect()
}

/// Runs by the same person without faults, until nothing is left to do.
fn heals(stack: &Stack, scenario: &Scenario, calm: &Value) -> Result<(), String> {
    for run in 1..=RUNS_MAX + 1 {
        let (found, changed) = up(stack, &person(&still_planned(stack, scenario.allow)))?;
        for difference in found.comparison.differences.values() {
            if let Some(blocked) = &difference.blocked {
                return Err(format!("{} is blocked: {blocked}", difference.key));
            }
        }
        if !changed.is_complete() {
            return Err(format!("run {run} ended in {:?}", changed.results));
        }
        if changed.results.is_empty() {
            same(
                "at last the verdict",
                &found.verdict(),
                &StackVerdict::Clean,
            )?;
            same("open intents", &stored(stack)["applying"], &Value::Null)?;
            let world = comparable(&stack.ports.sandbox.world());
            return same("the world", &world, calm);
        }
    }
    Err(format!("not at rest after {RUNS_MAX} runs"))
}

fn case(
    scenario: &Scenario,
    world: &Stack,
    request: &Request,
    rule: &Rule,
    once: bool,
    calm: &Value,
) -> Result<(), String> {
    let stack = world.fork();
    let before = stored(&stack);
    stack.ports.sandbox.add_fault(request.fault(rule, once));
    let (_, changed) = up(&stack, &person(scenario.allow))?;
    let hit = changed
        .results
        .iter()
        .find(|carried| is_part_of(request, &carried.approved.change.key))
        .ok_or("no change was hit")?;
    let (ended, verb) = (hit.outcome.as_str(), hit.approved.change.verb);
    let wanted = expected(request, rule, verb, once);
    if ended != wanted {
        let reason = hit.outcome.reason();
        return Err(format!("it is {ended}, not {wanted}: {reason:?}"));
    }
    if rule.name == "403" {
        names_permission(request, hit)?;
    }
    state_says(&stack, &before, hit)?;
    others_stand(hit, &changed)?;
    stack.ports.sandbox.clear_faults();
    heals(&stack, scenario, calm)
}

fn all_of(at: usize, count: usize) {
    let scenario = &SCENARIOS[at];
    let world = (scenario.world)();
    let looked = world.fork();
    let _ = looked.check();
    let skipped = looked.ports.sent.borrow().len();
    let stack = world.fork();
    let (_, changed) = up(&stack, &person(scenario.allow)).expect("a calm run");
    assert!(changed.is_complete(), "{:?}", changed.results);
    let requests = requests(&stack.ports.sent.borrow(), skipped);
    assert_eq!(requests.len(), count, "{requests:#?}");
    let calm = comparable(&stack.ports.sandbox.world());
    let mut failures = Vec::new();
    let mut cases = 0;
    for request in &requests {
        // A policy has no name that could be taken.
        let names = request.write && !request.target.contains("IamPolicy");
        let makes = names
            && changed.results.iter().any(|carried| {
                let change = &carried.approved.change;
                is_part_of(request, &change.key) && change.verb == Verb::Create
            });
        for rule in rules(request.provider) {
            if rule.creates_only && !makes {
                continue;
            }
            let again = match request.write {
                true => rule.write_again,
                false => rule.read_again,
            };
            // What is not asked for again ends alike once and for ever.
            for once in [true, false].into_iter().filter(|once| !once || again) {
                cases += 1;
                if let Err(wrong) = case(scenario, &world, request, &rule, once, &calm) {
                    let times = if once { "once" } else { "for ever" };
                    let name = scenario.name;
                    failures.push(format!(
                        "{name}: {request} [{}, {times}]: {wrong}",
                        rule.name
                    ));
                }
            }
        }
    }
    report(cases, failures);
}

#[test]
fn while_creating() {
    // Three Kafka topics, a Pub/Sub topic, its policy (read and written), a subscription, a batch.
    all_of(0, 8);
}

#[test]
fn while_updating() {
    all_of(1, 10);
}

#[test]
fn while_deleting() {
    all_of(2, 6);
}

#[test]
fn while_replacing() {
    // Deleted and made again.
    all_of(3, 2);
}

#[test]
fn while_recreating_what_is_gone() {
    all_of(4, 7);
}

#[test]
fn while_withdrawing() {
    // The policy, read and written, and a batch.
    all_of(5, 3);
}
