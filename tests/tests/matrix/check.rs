//! A check under each fault of each of its requests: what depends on the request is unknown, with
//! the reason and the wanted permission; nothing is missing, made or deleted; the rest stands.

use kedge_core::compare::{Difference, Verdict};
use kedge_core::live::FailureCode;
use kedge_core::report::{Report, StackVerdict};
use kedge_engine::ports::ProviderName;
use kedge_sandbox::{Effect, Fault, Matches};
use kedge_tests::authority::Authorisation;
use kedge_tests::stack::{KAFKA_SERVICE, LEAVER, Stack, person};

use super::rules::{Read, Rule, hangs_on, permission, read, rules};
use super::worlds::{WITHDRAWN, names, new_stack, troubled, withdrawing};
use super::{Request, report, requests, same, up};

/// Of the Kafka topics of [`troubled`], those that are recorded. `rules::LISTED` are live.
const RECORDED: [&str; 3] = ["dev-a", "dev-b", "dev-b-dlq"];

fn verdicts(
    request: &Request,
    code: FailureCode,
    found: &Report,
    calm: &Report,
) -> Result<(), String> {
    same("the verdict", &found.verdict(), &StackVerdict::Incomplete)?;
    for (key, difference) in &found.comparison.differences {
        if !hangs_on(request, key, code) {
            let before = calm.comparison.differences.get(key);
            same(&format!("{key}"), &Some(difference), &before)?;
            continue;
        }
        unknown(request, code, difference).map_err(|wrong| format!("{key}: {wrong}"))?;
    }
    Ok(())
}

pub(super) fn unknown(
    request: &Request,
    code: FailureCode,
    difference: &Difference,
) -> Result<(), String> {
    same("the verdict", &difference.verdict, &Verdict::Unknown)?;
    same("missing", &difference.is_missing(), &false)?;
    same("what is to be done", &difference.whole, &None)?;
    let Some(failure) = &difference.failure else {
        return Err("there is no reason".to_owned());
    };
    same("the code", &failure.code, &code)?;
    if failure.reason.is_empty() || failure.reason.len() > 300 {
        return Err(format!("the reason is {:?}", failure.reason));
    }
    if code == FailureCode::Forbidden {
        let wanted = permission(request.provider, &request.method, &request.target);
        same(
            "the permission",
            &failure.permission.as_deref(),
            &Some(wanted),
        )?;
        if !failure.reason.contains(wanted) {
            return Err(format!("{:?} does not name {wanted}", failure.reason));
        }
    }
    Ok(())
}

/// Neither a tick nor a person makes or deletes anything of what is unknown, and a tick nothing in
/// the whole scope; what is recorded stays so.
fn nothing_made(
    stack: &Stack,
    request: &Request,
    code: FailureCode,
    alone: bool,
) -> Result<(), String> {
    let of_provider = |stack: &Stack| -> Vec<String> {
        let mut names = names(&stack.ports.sandbox.world());
        names.retain(|name| name.starts_with(request.provider.as_str()));
        names
    };
    let before = of_provider(stack);
    up(stack, &Authorisation::Unattended)?;
    if !alone {
        same("after a tick, the world", &of_provider(stack), &before)?;
    }
    let (_, changed) = up(stack, &person(&[]))?;
    for carried in &changed.results {
        let key = &carried.approved.change.key;
        if hangs_on(request, key, code) {
            return Err(format!("a person's run touched {key}, which is unknown"));
        }
    }
    let state = stack.state_text();
    for name in RECORDED {
        if request.provider == ProviderName::Aiven && !state.contains(&format!("/{name}\"")) {
            return Err(format!("{name} is no longer recorded"));
        }
    }
    Ok(())
}

/// Without the fault, a tick and a person who allows what was to be deleted bring everything to
/// rest.
fn heals(stack: &Stack) -> Result<(), String> {
    up(stack, &Authorisation::Unattended)?;
    let allow: &[&str] = match stack.state_text().contains("/dev-b-dlq\"") {
        true => &["dev-b-dlq"],
        false => &[],
    };
    up(stack, &person(allow))?;
    let (last, changed) = up(stack, &person(&[]))?;
    same("left to do", &changed.results.len(), &0)?;
    same("at last the verdict", &last.verdict(), &StackVerdict::Clean)
}

fn case(world: &Stack, request: &Request, rule: &Rule, calm: &Report) -> Result<(), String> {
    let stack = world.fork();
    stack.ports.sandbox.add_fault(request.fault(rule, false));
    let found = stack.check();
    match read(request.provider, &request.target, rule) {
        Read::MadeUpFor => return same("the verdict", &found.verdict(), &calm.verdict()),
        Read::Unknown { code, alone } => {
            verdicts(request, code, &found, calm)?;
            nothing_made(&stack, request, code, alone)?;
        }
    }
    stack.ports.sandbox.clear_faults();
    heals(&stack)?;
    if !rule.read_again {
        return Ok(());
    }
    // What passes leaves no trace.
    let stack = world.fork();
    stack.ports.sandbox.add_fault(request.fault(rule, true));
    let passed = stack.check();
    same("once, the verdict", &passed.verdict(), &calm.verdict())
}

fn all_of(provider: ProviderName, count: usize) {
    let world = troubled();
    let stack = world.fork();
    let calm = stack.check();
    let mut requests = requests(&stack.ports.sent.borrow(), 0);
    requests.retain(|request| request.provider == provider);
    assert_eq!(requests.len(), count, "{requests:?}");
    let mut failures = Vec::new();
    let mut cases = 0;
    for request in &requests {
        for rule in rules(provider).iter().filter(|rule| !rule.creates_only) {
            cases += 1;
            if let Err(wrong) = case(&world, request, rule, &calm) {
                failures.push(format!("{request} [{}]: {wrong}", rule.name));
            }
        }
    }
    report(cases, failures);
}

#[test]
fn of_aiven() {
    // The list, the bulk read, the service, and the topic that is missing.
    all_of(ProviderName::Aiven, 4);
}

#[test]
fn of_pubsub() {
    // Topics, subscriptions, the policy.
    all_of(ProviderName::Pubsub, 3);
}

#[test]
fn of_cloudflare() {
    // The list, and the zone, since a record set is missing.
    all_of(ProviderName::Cloudflare, 2);
}

/// A stack that is not adopted yet: nobody knows whether it is new, so nothing of it is made.
#[test]
fn of_a_new_stack() {
    let stack = Stack::small();
    stack.ports.clear_sent();
    let _ = stack.check();
    let requests = requests(&stack.ports.sent.borrow(), 0);
    let mut failures = Vec::new();
    let mut cases = 0;
    for request in &requests {
        for rule in rules(request.provider)
            .iter()
            .filter(|rule| !rule.creates_only)
        {
            cases += 1;
            // An empty list has nothing in it to be of the wrong type.
            let of_types = matches!(rule.name, "wrong types" | "number for text");
            let is_list = !request.target.ends_with(KAFKA_SERVICE);
            let stack = match of_types && is_list {
                true => new_stack(),
                false => Stack::small(),
            };
            stack.ports.sandbox.add_fault(request.fault(rule, false));
            let tick = up(&stack, &Authorisation::Unattended).and_then(|(found, changed)| {
                if read(request.provider, &request.target, rule) != Read::MadeUpFor {
                    same("the verdict", &found.verdict(), &StackVerdict::Incomplete)?;
                    same("carried", &changed.results.len(), &0)?;
                }
                stack.ports.sandbox.clear_faults();
                up(&stack, &Authorisation::Unattended)?;
                let (last, changed) = up(&stack, &person(&[]))?;
                same("left to do", &changed.results.len(), &0)?;
                same("at last the verdict", &last.verdict(), &StackVerdict::Clean)
            });
            if let Err(wrong) = tick {
                failures.push(format!("{request} [{}]: {wrong}", rule.name));
            }
        }
    }
    report(cases, failures);
}

/// A run has begun to take away a member and an address, and nobody knows what became of it.
fn begun() -> Stack {
    let stack = withdrawing();
    stack.ports.sandbox.add_fault(Fault {
        matches: Matches {
            write: Some(true),
            ..Matches::default()
        },
        effect: Effect::LoseAnswer { applied: false },
        times: None,
    });
    up(&stack, &person(WITHDRAWN)).expect("a run");
    stack.ports.sandbox.clear_faults();
    assert!(stack.state_text().contains("\"applying\""));
    stack
}

fn begun_case(
    world: &Stack,
    request: &Request,
    rule: &Rule,
    calm: &Vec<String>,
) -> Result<(), String> {
    let stack = world.fork();
    stack.ports.sandbox.add_fault(request.fault(rule, false));
    let wanted = match read(request.provider, &request.target, rule) {
        Read::MadeUpFor => StackVerdict::Pending,
        Read::Unknown { .. } => StackVerdict::Incomplete,
    };
    same("the verdict", &stack.check().verdict(), &wanted)?;
    up(&stack, &Authorisation::Unattended)?;
    let is_recorded = stack.state_text().contains(LEAVER);
    same("whether the member is recorded", &is_recorded, &true)?;
    stack.ports.sandbox.clear_faults();
    up(&stack, &person(WITHDRAWN))?;
    same("the world", &names(&stack.ports.sandbox.world()), calm)?;
    let (last, changed) = up(&stack, &person(&[]))?;
    same("left to do", &changed.results.len(), &0)?;
    same("at last the verdict", &last.verdict(), &StackVerdict::Clean)
}

/// While it is open how changes ended, no read that fails ends them: what was to be taken away stays
/// recorded until it is gone.
#[test]
fn of_a_stack_with_changes_of_unknown_outcome() {
    let world = begun();
    let stack = world.fork();
    stack.ports.clear_sent();
    assert_eq!(stack.check().verdict(), StackVerdict::Pending);
    let requests = requests(&stack.ports.sent.borrow(), 0);
    up(&stack, &person(WITHDRAWN)).expect("a run");
    let calm = names(&stack.ports.sandbox.world());
    let mut failures = Vec::new();
    let mut cases = 0;
    for request in &requests {
        let of = rules(request.provider);
        for rule in of.iter().filter(|rule| !rule.creates_only) {
            cases += 1;
            if let Err(wrong) = begun_case(&world, request, rule, &calm) {
                failures.push(format!("{request} [{}]: {wrong}", rule.name));
            }
        }
    }
    report(cases, failures);
}
