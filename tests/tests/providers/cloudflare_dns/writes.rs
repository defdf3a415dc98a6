//! What a change does, and what a lost answer leaves.

use super::*;

/// A node to begin with, a change of it, and what must be live afterwards.
struct Case {
    name: &'static str,
    before: &'static [&'static str],
    verb: Verb,
    declared: Fields,
    edits: Vec<Edit>,
    after: Option<Fields>,
}

fn cases() -> Vec<Case> {
    let mut cases = creates_and_deletes();
    cases.extend(updates());
    cases
}

fn creates_and_deletes() -> Vec<Case> {
    let create = |name, declared: Fields| Case {
        name,
        before: &[],
        verb: Verb::Create,
        after: Some(declared.clone()),
        declared,
        edits: Vec::new(),
    };
    let delete = |name, before, after| Case {
        name,
        before,
        verb: Verb::Delete,
        declared: fields(&[A, B], 300, false),
        edits: Vec::new(),
        after,
    };
    let foreign = fields(&[C], 300, false);
    vec![
        create("create", fields(&[A, B], 300, false)),
        create("create proxied", fields(&[A, B], 300, true)),
        delete("delete", &[A, B], None),
        delete("delete what is ours", &[A, B, C], Some(foreign.clone())),
        delete("delete what is left", &[A, C], Some(foreign)),
    ]
}

fn updates() -> Vec<Case> {
    let update = |name, before, declared: Fields, edits| Case {
        name,
        before,
        verb: Verb::Update,
        after: Some(declared.clone()),
        declared,
        edits,
    };
    let swap = vec![add(C), remove(B)];
    let proxy = vec![set(PROXIED, Value::Bool(true))];
    let all = vec![add(C), remove(A), remove(B), set(TTL, Value::Int(120))];
    vec![
        update(
            "replace an address",
            &[A, B],
            fields(&[A, C], 300, false),
            swap,
        ),
        update(
            "add an address",
            &[A],
            fields(&[A, B], 300, false),
            vec![add(B)],
        ),
        update(
            "remove an address",
            &[A, B],
            fields(&[A], 300, false),
            vec![remove(B)],
        ),
        update(
            "set ttl",
            &[A, B],
            fields(&[A, B], 60, false),
            vec![set(TTL, Value::Int(60))],
        ),
        update("set proxied", &[A, B], fields(&[A, B], 300, true), proxy),
        update("everything at once", &[A, B], fields(&[C], 120, false), all),
    ]
}

impl Case {
    fn begin(&self) -> (SimPorts, Change) {
        let ports = with_node(self.before);
        let change = change(&ports, self.verb, self.declared.clone(), self.edits.clone());
        ports.clear_sent();
        (ports, change)
    }

    fn live(ports: &SimPorts) -> Option<Fields> {
        ports.sandbox.clear_faults();
        node(ports).map(|live| live.fields)
    }
}

#[test]
fn each_verb_is_one_request_and_the_next_read_shows_it() {
    for case in cases() {
        let (ports, change) = case.begin();
        let applied = apply(&ports, &change).unwrap();
        assert_eq!(applied.catching_up_ms, 60_000, "{}", case.name);
        assert_eq!(counts(&ports), (0, 1), "{}", case.name);
        assert_eq!(Case::live(&ports), case.after, "{}", case.name);
    }
}

#[test]
fn trouble_that_passes_changes_nothing_in_the_end() {
    for effect in [
        status(429),
        status(500),
        status(503),
        Effect::HtmlBody { code: 502 },
        Effect::LoseAnswer { applied: false },
        Effect::LoseAnswer { applied: true },
        Effect::CutBody,
        Effect::Latency { ms: 20_000 },
    ] {
        for case in cases() {
            let (ports, change) = case.begin();
            trouble(&ports, true, effect.clone(), Some(1));
            let applied = apply(&ports, &change);
            assert!(applied.is_ok(), "{} {effect:?}: {applied:?}", case.name);
            assert_eq!(Case::live(&ports), case.after, "{} {effect:?}", case.name);
        }
    }
}

#[test]
fn trouble_that_stays_is_told_as_it_is() {
    for case in cases() {
        let (ports, change) = case.begin();
        let before = node(&ports).map(|live| live.fields);
        trouble(&ports, true, Effect::LoseAnswer { applied: false }, None);
        let error = apply(&ports, &change).unwrap_err();
        assert!(
            matches!(error, ChangeError::OutcomeUnknown { .. }),
            "{}: {error}",
            case.name
        );
        assert_eq!(Case::live(&ports), before, "{}", case.name);

        let (ports, change) = case.begin();
        trouble(&ports, true, Effect::LoseAnswer { applied: true }, None);
        assert!(apply(&ports, &change).is_ok(), "{}", case.name);
        assert_eq!(Case::live(&ports), case.after, "{}", case.name);

        // Lost, and no way to look either.
        let (ports, change) = case.begin();
        trouble(&ports, true, Effect::LoseAnswer { applied: true }, None);
        trouble(&ports, false, status(500), None);
        let error = apply(&ports, &change).unwrap_err();
        assert!(
            matches!(error, ChangeError::OutcomeUnknown { .. }),
            "{}: {error}",
            case.name
        );

        // A captive portal: a 200 that is no answer.
        let (ports, change) = case.begin();
        trouble(&ports, true, Effect::HtmlBody { code: 200 }, None);
        let error = apply(&ports, &change).unwrap_err();
        assert!(
            matches!(error, ChangeError::OutcomeUnknown { .. }),
            "{}: {error}",
            case.name
        );

        let (ports, change) = case.begin();
        trouble(&ports, true, status(429), None);
        let error = apply(&ports, &change).unwrap_err();
        assert!(
            matches!(error, ChangeError::Failed { .. }),
            "{}: {error}",
            case.name
        );
        assert_eq!(Case::live(&ports), before, "{}", case.name);
    }
}

#[test]
fn refusals_are_blocked_with_the_reason() {
    for (code, part) in [
        (401, "401: Authentication error; needs Zone:DNS:Edit"),
        (403, "403: Invalid access token; needs Zone:DNS:Edit"),
        (400, "400: DNS Validation Error"),
    ] {
        for case in cases() {
            let (ports, change) = case.begin();
            trouble(&ports, true, status(code), None);
            let error = apply(&ports, &change).unwrap_err();
            assert!(
                matches!(error, ChangeError::Blocked { .. }),
                "{}: {error}",
                case.name
            );
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(counts(&ports), (0, 1), "{}", case.name);
        }
    }
    let (ports, change) = cases().remove(0).begin();
    ports.secrets.borrow_mut().clear();
    let error = apply(&ports, &change).unwrap_err();
    assert!(
        error.to_string().contains("CLOUDFLARE_API_TOKEN"),
        "{error}"
    );
    assert_eq!(counts(&ports), (0, 0));
}

#[test]
fn what_exists_and_is_not_ours_is_not_overwritten() {
    let ports = empty();
    let change = change(
        &ports,
        Verb::Create,
        fields(&[A, B], 300, false),
        Vec::new(),
    );
    act(
        &ports,
        json!({"do": "add_address", "name": NODE, "address": B}),
    );
    let error = apply(&ports, &change).unwrap_err();
    assert!(matches!(error, ChangeError::Blocked { .. }), "{error}");
    assert!(
        error.to_string().contains("somebody else created a record"),
        "{error}"
    );
    assert_eq!(records(&ports).len(), 1, "nothing of the batch was made");
}

#[test]
fn a_cname_that_came_meanwhile_blocks_the_creation() {
    let ports = empty();
    add_record(
        &ports,
        &json!({"type": "CNAME", "name": NODE, "content": "h.example"}),
    );
    let change = change(&ports, Verb::Create, fields(&[A], 300, false), Vec::new());
    assert_eq!(change.live, None);
    let error = apply(&ports, &change).unwrap_err();
    assert!(matches!(error, ChangeError::Blocked { .. }), "{error}");
    assert!(error.to_string().contains("a name with a CNAME"), "{error}");
}

#[test]
fn another_stacks_mark_blocks_before_anything_is_sent() {
    let ports = with_node(&[A]);
    let mark = json!({"do": "patch_record", "name": NODE, "set": {"comment": "kedge:prod"}});
    act(&ports, mark);
    for (verb, edits) in [(Verb::Update, vec![add(B)]), (Verb::Delete, Vec::new())] {
        let change = change(&ports, verb, fields(&[A], 300, false), edits);
        let error = apply(&ports, &change).unwrap_err();
        assert!(
            error.to_string().contains("belongs to stack prod"),
            "{error}"
        );
    }
    assert_eq!(ports.writes(), 0);
}

#[test]
fn our_mark_is_written_and_a_persons_comment_kept() {
    let ports = with_node(&[A, B]);
    let theirs =
        json!({"do": "patch_record", "name": NODE, "content": A, "set": {"comment": "Anna's"}});
    act(&ports, theirs);
    let edits = vec![add(C), set(TTL, Value::Int(60))];
    let change = change(&ports, Verb::Update, fields(&[A, B, C], 60, false), edits);
    apply(&ports, &change).unwrap();
    let row = |address: &str, comment: &str| (address.to_owned(), 60, false, comment.to_owned());
    let wanted = [row(A, "Anna's"), row(B, "kedge:dev"), row(C, "kedge:dev")];
    assert_eq!(records(&ports), wanted);
}

#[test]
fn a_record_replaced_keeps_its_id() {
    let ports = with_node(&[A, B]);
    let ids = |ports: &SimPorts| -> Vec<String> {
        let world = ports.sandbox.world();
        let records = world["cloudflare"]["zones"][ZONE]["records"].as_object();
        records.unwrap().keys().cloned().collect()
    };
    let before = ids(&ports);
    let edits = vec![add(C), remove(A)];
    let change = change(&ports, Verb::Update, fields(&[B, C], 300, false), edits);
    apply(&ports, &change).unwrap();
    assert_eq!(ids(&ports), before);
}

#[test]
fn a_set_that_moved_meanwhile() {
    let gone = json!({"do": "remove_record", "name": NODE, "content": A});
    // A delete goes on with the rest.
    let ports = with_node(&[A, B]);
    let delete = change(
        &ports,
        Verb::Delete,
        fields(&[A, B], 300, false),
        Vec::new(),
    );
    act(&ports, gone.clone());
    ports.clear_sent();
    assert!(apply(&ports, &delete).is_ok());
    assert_eq!(counts(&ports), (1, 2));
    assert_eq!(node(&ports), None);
    // And with nothing left it is done.
    assert!(apply(&ports, &delete).is_ok());
    // An update does not guess.
    let ports = with_node(&[A, B]);
    let edits = vec![add(C), remove(A)];
    let update = change(&ports, Verb::Update, fields(&[B, C], 300, false), edits);
    act(&ports, gone);
    let error = apply(&ports, &update).unwrap_err();
    assert!(matches!(error, ChangeError::Failed { .. }), "{error}");
    assert!(
        error.to_string().contains("has changed since it was read"),
        "{error}"
    );
    assert_eq!(node(&ports).unwrap().fields, fields(&[B], 300, false));
}

#[test]
fn an_update_never_empties_a_set() {
    let ports = with_node(&[A]);
    let change = change(
        &ports,
        Verb::Update,
        fields(&[A], 300, false),
        vec![remove(A)],
    );
    let error = apply(&ports, &change).unwrap_err();
    assert!(matches!(error, ChangeError::Blocked { .. }), "{error}");
    assert_eq!(ports.writes(), 0);
}

#[test]
fn an_answer_that_does_not_name_what_it_made_is_looked_into() {
    // Written as a number, or cut off in the middle: the zone's list says what stands.
    for effect in [Effect::NumbersForTexts, Effect::CutJson] {
        let ports = empty();
        let create = change(
            &ports,
            Verb::Create,
            fields(&[A, B], 300, false),
            Vec::new(),
        );
        ports.clear_sent();
        trouble(&ports, true, effect.clone(), Some(1));
        assert!(apply(&ports, &create).is_ok(), "{effect:?}");
        assert_eq!(counts(&ports), (1, 1), "{effect:?}");
        assert_eq!(records(&ports).len(), 2);
    }
}
