use super::*;
use crate::providers::aiven_kafka::wire;

fn key(name: &str) -> ResourceKey {
    ResourceKey::kafka_topic("p", "s", name)
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("prod-{n:03}")).collect()
}

fn wanted(keys: &[String], recorded: &[String]) -> Wanted {
    Wanted {
        keys: keys.iter().map(|name| key(name)).collect(),
        recorded: recorded.iter().map(|name| key(name)).collect(),
        namespaces: ["prod-".to_owned()].into(),
        ..Wanted::default()
    }
}

fn listed(names: &[String]) -> Vec<TopicSummary> {
    names.iter().map(|name| in_state(name, "ACTIVE")).collect()
}

fn in_state(name: &str, state: &str) -> TopicSummary {
    let body = format!(r#"{{"topic_name":"{name}","state":"{state}","partitions":1}}"#);
    wire::read(body.as_bytes()).unwrap()
}

fn failure(code: FailureCode) -> ReadFailure {
    ReadFailure {
        reason: "r".to_owned(),
        permission: None,
        code,
    }
}

fn all_of(names: &[String]) -> BTreeMap<String, TopicAnswer> {
    names
        .iter()
        .map(|name| (name.clone(), Ok(Live::default())))
        .collect()
}

/// What is known of a topic, as one word.
fn word(reading: &ScopeReading, name: &str) -> &'static str {
    use kedge_core::live::Reading;
    match reading.reading(&key(name)) {
        Reading::Present(_) => "present",
        Reading::Absent(_) => "absent",
        Reading::Unknown(failure) => failure.code.as_str(),
    }
}

/// Asks until all is answered; counts the questions after the first round.
fn run(
    list: Vec<TopicSummary>,
    wanted: &Wanted,
    world: impl Fn(&Ask) -> Answer,
) -> (ScopeReading, usize) {
    let (mut survey, mut asks) = Survey::begin("p", "s", list, wanted);
    let mut extra = 0;
    loop {
        asks = asks
            .iter()
            .map(&world)
            .flat_map(|answer| survey.take(answer))
            .collect();
        asks.extend(survey.ask_alone());
        if asks.is_empty() {
            return (survey.end(), extra);
        }
        extra += asks.len();
    }
}

#[test]
fn a_hundred_names_are_one_bulk_read() {
    let topics = numbered(201);
    let (_, asks) = Survey::begin("p", "s", listed(&topics), &wanted(&topics, &topics));
    let sizes: Vec<usize> = asks
        .iter()
        .map(|ask| match ask {
            Ask::Bulk(names) => names.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [100, 100, 1]);
}

#[test]
fn nothing_is_known_before_it_is_answered() {
    let asked = names(["prod-a", "prod-new"]);
    let recorded = names(["prod-a", "prod-gone"]);
    let (survey, asks) = Survey::begin(
        "p",
        "s",
        listed(&names(["prod-a"])),
        &wanted(&asked, &recorded),
    );
    assert_eq!(asks, [Ask::Bulk(names(["prod-a"])), Ask::Service]);
    let reading = survey.end();
    assert_eq!(word(&reading, "prod-a"), "inconsistent");
    assert_eq!(word(&reading, "prod-gone"), "inconsistent");
    // Never recorded: the list is proof enough.
    assert_eq!(word(&reading, "prod-new"), "absent");
}

#[test]
fn what_nobody_asked_for_costs_nothing() {
    let list = vec![
        in_state("prod-extra", "ACTIVE"),
        in_state("prod-coming", "CONFIGURING"),
        in_state("prod-going", "DELETING"),
        in_state("prod-connect-internal", "ACTIVE"),
        in_state("dev-a", "ACTIVE"),
        in_state("__consumer_offsets", "ACTIVE"),
    ];
    let (survey, asks) = Survey::begin("p", "s", list, &wanted(&[], &[]));
    assert_eq!(asks, []);
    let reading = survey.end();
    let shown: Vec<&str> = reading.present().map(|(key, _)| key.name()).collect();
    assert_eq!(shown, ["prod-coming", "prod-extra"]);
    assert_eq!(reading.unread().count(), 0);
}

#[test]
fn a_topic_in_transition_is_not_read() {
    let asked = names(["prod-a", "prod-b"]);
    let list = vec![
        in_state("prod-a", "CONFIGURING"),
        in_state("prod-b", "DELETING"),
    ];
    let (survey, asks) = Survey::begin("p", "s", list, &wanted(&asked, &asked));
    assert_eq!(asks, []);
    let reading = survey.end();
    assert_eq!(word(&reading, "prod-a"), "in-transition");
    assert_eq!(word(&reading, "prod-b"), "being-deleted");
}

#[test]
fn other_scopes_and_kinds_are_not_ours() {
    let mut wanted = wanted(&[], &[]);
    wanted.recorded = [
        ResourceKey::kafka_topic("p", "other", "prod-a"),
        ResourceKey::pubsub_topic("p", "prod-a"),
    ]
    .into();
    let (_, asks) = Survey::begin("p", "s", Vec::new(), &wanted);
    assert_eq!(asks, []);
}

#[test]
fn absence_takes_a_running_service_and_a_404() {
    let recorded = names(["prod-gone", "prod-late", "prod-odd"]);
    let world = |ask: &Ask| match ask {
        Ask::Service => Answer::Service(Ok(())),
        Ask::Single(name) => match name.as_str() {
            "prod-gone" => Answer::Gone(name.clone(), "404".to_owned()),
            "prod-late" => Answer::Topic(name.clone(), Ok(Live::default())),
            _ => Answer::Topic(name.clone(), Err(failure(FailureCode::ProviderError))),
        },
        Ask::Bulk(names) => panic!("{names:?}"),
    };
    let (reading, extra) = run(Vec::new(), &wanted(&recorded, &recorded), world);
    assert_eq!(word(&reading, "prod-gone"), "absent");
    assert_eq!(word(&reading, "prod-late"), "present");
    assert_eq!(word(&reading, "prod-odd"), "provider-error");
    assert_eq!(extra, 3);
}

#[test]
fn a_service_that_does_not_run_proves_nothing() {
    let asked = names(["prod-a", "prod-new", "prod-gone"]);
    let recorded = names(["prod-a", "prod-gone"]);
    for (code, of_new) in [
        (FailureCode::NotRunning, "not-running"),
        (FailureCode::ScopeNotFound, "scope-not-found"),
        (FailureCode::Forbidden, "absent"),
        (FailureCode::Network, "absent"),
    ] {
        let world = |ask: &Ask| match ask {
            Ask::Service => Answer::Service(Err(failure(code))),
            Ask::Bulk(names) => Answer::Topics(names.clone(), all_of(names)),
            Ask::Single(name) => panic!("{name}"),
        };
        let list = listed(&names(["prod-a"]));
        let (reading, _) = run(list, &wanted(&asked, &recorded), world);
        assert_eq!(word(&reading, "prod-a"), "present");
        assert_eq!(word(&reading, "prod-gone"), code.as_str());
        assert_eq!(word(&reading, "prod-new"), of_new);
    }
}

#[test]
fn no_more_than_twenty_absences_are_proven() {
    let recorded = numbered(25);
    let world = |ask: &Ask| match ask {
        Ask::Service => Answer::Service(Ok(())),
        Ask::Single(name) => Answer::Gone(name.clone(), "404".to_owned()),
        Ask::Bulk(names) => panic!("{names:?}"),
    };
    let (reading, extra) = run(Vec::new(), &wanted(&recorded, &recorded), world);
    assert_eq!(extra, EXTRA_READS_MAX);
    let absent = recorded
        .iter()
        .filter(|name| word(&reading, name) == "absent")
        .count();
    assert_eq!(absent, EXTRA_READS_MAX);
    assert_eq!(word(&reading, "prod-024"), "mass-absence");
}

/// A bulk read that refuses a batch with one of these names in it.
fn refusing(stale: &[String]) -> impl Fn(&Ask) -> Answer {
    move |ask| match ask {
        Ask::Bulk(names) if names.iter().any(|name| stale.contains(name)) => {
            Answer::Stale(names.clone(), "404".to_owned())
        }
        Ask::Bulk(names) => Answer::Topics(names.clone(), all_of(names)),
        Ask::Single(name) if stale.contains(name) => Answer::Gone(name.clone(), "404".to_owned()),
        Ask::Single(name) => Answer::Topic(name.clone(), Ok(Live::default())),
        Ask::Service => Answer::Service(Ok(())),
    }
}

#[test]
fn one_stale_name_does_not_hide_the_others() {
    let topics = numbered(100);
    for at in [0, 37, 99] {
        let stale = vec![topics[at].clone()];
        let (reading, extra) = run(listed(&topics), &wanted(&topics, &topics), refusing(&stale));
        assert!(extra <= 14, "{extra}");
        for name in &topics {
            let expected = if stale.contains(name) {
                "listed-only"
            } else {
                "present"
            };
            assert_eq!(word(&reading, name), expected, "{name}");
        }
    }
}

#[test]
fn looking_closer_ends() {
    let topics = numbered(300);
    let (reading, extra) = run(
        listed(&topics),
        &wanted(&topics, &topics),
        refusing(&topics),
    );
    assert!(extra <= EXTRA_READS_MAX, "{extra}");
    assert!(
        topics
            .iter()
            .all(|name| word(&reading, name) == "listed-only")
    );
}

#[test]
fn a_short_answer_is_completed() {
    let topics = numbered(10);
    let world = |ask: &Ask| match ask {
        Ask::Bulk(names) => Answer::Topics(names.clone(), all_of(&names[2..])),
        Ask::Single(name) => Answer::Topic(name.clone(), Ok(Live::default())),
        Ask::Service => panic!(),
    };
    let (reading, extra) = run(listed(&topics), &wanted(&topics, &topics), world);
    assert_eq!(extra, 2);
    assert!(topics.iter().all(|name| word(&reading, name) == "present"));
}

#[test]
fn without_a_bulk_read_a_few_are_read_one_by_one() {
    let topics = numbered(30);
    let world = |ask: &Ask| match ask {
        Ask::Bulk(names) => Answer::NoBulk(names.clone(), failure(FailureCode::ScopeNotFound)),
        Ask::Single(name) => Answer::Topic(name.clone(), Ok(Live::default())),
        Ask::Service => panic!(),
    };
    let (reading, extra) = run(listed(&topics), &wanted(&topics, &topics), world);
    assert_eq!(extra, EXTRA_READS_MAX);
    assert_eq!(word(&reading, "prod-019"), "present");
    assert_eq!(word(&reading, "prod-020"), "inconsistent");
}

#[test]
fn a_failed_batch_fails_alone() {
    let topics = numbered(101);
    let world = |ask: &Ask| match ask {
        Ask::Bulk(names) if names.len() == 1 => {
            Answer::Failed(names.clone(), failure(FailureCode::Network))
        }
        Ask::Bulk(names) => Answer::Topics(names.clone(), all_of(names)),
        other => panic!("{other:?}"),
    };
    let (reading, extra) = run(listed(&topics), &wanted(&topics, &topics), world);
    assert_eq!(extra, 0);
    assert_eq!(word(&reading, "prod-000"), "present");
    assert_eq!(word(&reading, "prod-100"), "network");
}

/// The same in a group that wants all of these.
fn in_group(own: &[String], group: &[String]) -> Wanted {
    Wanted {
        of_group: std::sync::Arc::new(group.iter().map(|name| key(name)).collect()),
        ..wanted(own, own)
    }
}

/// Three stacks of 40 topics each.
fn three() -> [Vec<String>; 3] {
    ["dev", "prod", "test"].map(|stack| (0..40).map(|n| format!("{stack}-{n:02}")).collect())
}

fn bulks(asks: &[Ask]) -> Vec<Vec<String>> {
    let names = |ask: &Ask| match ask {
        Ask::Bulk(names) => names.clone(),
        other => panic!("{other:?}"),
    };
    asks.iter().map(names).collect()
}

#[test]
fn stacks_of_a_group_ask_for_the_same_batches() {
    let stacks = three();
    let all = stacks.concat();
    let mut asked = BTreeSet::new();
    for own in &stacks {
        let (_, asks) = Survey::begin("p", "s", listed(&all), &in_group(own, &all));
        asked.extend(bulks(&asks));
        // Not the batch that has nothing of its own.
        let has_own = |names: &Vec<String>| names.iter().any(|name| own.contains(name));
        assert!(bulks(&asks).iter().all(has_own));
    }
    let sizes: Vec<usize> = asked.iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 20]);
    let names: Vec<String> = asked.into_iter().flatten().collect();
    assert_eq!(names, all);
}

#[test]
fn what_others_want_is_neither_reported_nor_asked_for_in_transition() {
    let [own, others, _] = three();
    let mut list = listed(&own);
    list.push(in_state(&others[0], "CONFIGURING"));
    list.extend(listed(&others[1..]));
    let all = [own.clone(), others.clone()].concat();
    let (mut survey, asks) = Survey::begin("p", "s", list, &in_group(&own, &all));
    let [names] = bulks(&asks).try_into().unwrap();
    assert_eq!(names.len(), 79);
    assert_eq!(
        survey.take(Answer::Topics(names.clone(), all_of(&names))),
        []
    );
    let reading = survey.end();
    // The prefix of the other stack is a namespace here, so its topics are shown as unmanaged ones, by
    // their summaries.
    assert!(own.iter().all(|name| word(&reading, name) == "present"));
    assert_eq!(reading.unread().count(), 0);
}

#[test]
fn a_batch_that_another_stack_spoils_is_asked_for_again_alone() {
    let [own, others, _] = three();
    let all = [own.clone(), others.clone()].concat();
    let wanted = in_group(&own, &all);
    // Of all names of the other stack there is none, which is more than twenty reads could find out.
    let (reading, extra) = run(listed(&all), &wanted, refusing(&others));
    assert!(own.iter().all(|name| word(&reading, name) == "present"));
    assert_eq!(extra, 1);
    // What may lie in a name of another stack.
    let failing = |code| {
        let (own, others) = (own.clone(), others.clone());
        move |ask: &Ask| match ask {
            Ask::Bulk(names) if names.iter().any(|name| others.contains(name)) => {
                Answer::Failed(names.clone(), failure(code))
            }
            Ask::Bulk(names) => {
                assert_eq!(*names, own);
                Answer::Topics(names.clone(), all_of(names))
            }
            other => panic!("{other:?}"),
        }
    };
    for (code, expected, asks) in [
        (FailureCode::ProviderError, "present", 1),
        (FailureCode::Network, "present", 1),
        (FailureCode::StrangeAnswer, "present", 1),
        (FailureCode::Inconsistent, "present", 1),
        // What can't.
        (FailureCode::Unauthenticated, "unauthenticated", 0),
        (FailureCode::Forbidden, "forbidden", 0),
        (FailureCode::RateLimited, "rate-limited", 0),
        (FailureCode::OutOfRequests, "out-of-requests", 0),
        (FailureCode::OutOfTime, "out-of-time", 0),
        (FailureCode::ScopeNotFound, "scope-not-found", 0),
    ] {
        let (reading, extra) = run(listed(&all), &wanted, failing(code));
        assert_eq!(extra, asks, "{code:?}");
        assert!(
            own.iter().all(|name| word(&reading, name) == expected),
            "{code:?}"
        );
    }
}

#[test]
fn the_proof_of_an_own_name_is_the_same_in_a_group_as_alone() {
    let [own, others, more] = three();
    let all = [own.clone(), others, more].concat();
    for count in [1, 2, 5, 40] {
        let stale = &own[..count];
        let (alone, extra_alone) = run(listed(&all), &wanted(&own, &own), refusing(stale));
        let (grouped, extra) = run(listed(&all), &in_group(&own, &all), refusing(stale));
        for name in &own {
            assert_eq!(word(&grouped, name), word(&alone, name), "{count} {name}");
        }
        // Once more: the batch that is the first one alone.
        assert_eq!(extra, extra_alone + 1, "{count}");
    }
}

#[test]
fn without_a_bulk_read_only_own_topics_are_read_one_by_one() {
    let [own, others, _] = three();
    let all = [own.clone(), others].concat();
    let own = &own[..3];
    let world = |ask: &Ask| match ask {
        Ask::Bulk(names) => Answer::NoBulk(names.clone(), failure(FailureCode::ScopeNotFound)),
        Ask::Single(name) => Answer::Topic(name.clone(), Ok(Live::default())),
        Ask::Service => panic!(),
    };
    let (reading, extra) = run(listed(&all), &in_group(own, &all), world);
    assert_eq!(extra, 3);
    assert!(own.iter().all(|name| word(&reading, name) == "present"));
}
