use super::*;
use crate::definitions::{Bundle, ParseInput, parse};
use crate::documents::{NoticeCode, RefusalCode, Word as _};
use crate::model::{Allowance, Salt, Timestamp};
use crate::stored::bundle::{Commit, Pushed};
use crate::stored::index::Entry;

const STACK: &str = "config:\n  t:aiven_project: p\n  t:kafka_service: s\n  \
                     t:cloudflare_zone_id: 0123456789abcdef0123456789abcdef\n  t:nodes:\n    \
                     - {name: n, ips: [192.0.2.1], domain: n.example.com}\n";

fn name(text: &str) -> StackName {
    StackName::new(text).unwrap()
}

/// Topics by file: `("area/kafka-topics.yaml", 0..3)` declares t0, t1, t2.
fn set(files: &[(&str, &[usize])]) -> Bundle {
    let mut texts = BTreeMap::from([
        ("kedge.yaml".to_owned(), "project: t\n".to_owned()),
        ("stacks/dev.yaml".to_owned(), STACK.to_owned()),
    ]);
    for (file, topics) in files {
        let lines = topics
            .iter()
            .map(|n| format!("  - {{name: \"{{stack}}-t{n}\", partitions: 1, replication: 2}}\n"));
        let text = format!("topics:\n{}", lines.collect::<String>());
        texts.insert(format!("{file}/kafka-topics.yaml"), text);
    }
    Bundle::new(texts).unwrap()
}

fn declared(bundle: &Bundle) -> Declared {
    parse(&ParseInput {
        bundle,
        stack: &name("dev"),
        overrides: &BTreeMap::new(),
        salt: &Salt([0; 16]),
    })
    .unwrap_or_else(|problems| panic!("{problems}"))
}

fn stored(bundle: Bundle, rollback_of: Option<&str>) -> StoredBundle {
    StoredBundle {
        stack: name("dev"),
        bundle,
        follows: None,
        pushed: Pushed {
            actor: "ana@laptop".to_owned(),
            at: Timestamp(0),
            commit: Some(Commit {
                id: "c0ffee00c0ffee00".to_owned(),
                edited: false,
            }),
            branch: None,
            upload: None,
        },
        rollback_of: rollback_of.map(str::to_owned),
    }
}

struct Case {
    before: Bundle,
    after: Bundle,
    rollback_of: Option<&'static str>,
    index: Index,
    in_force: Option<Policy>,
    ancestry: Ancestry,
    consent: PushConsent,
    upload: Option<UploadInput<'static>>,
}

impl Case {
    fn new(before: Bundle, after: Bundle) -> Self {
        Self {
            before,
            after,
            rollback_of: None,
            index: Index::default(),
            in_force: None,
            ancestry: Ancestry::Descends,
            consent: PushConsent::default(),
            upload: None,
        }
    }

    fn plain() -> Self {
        Self::new(set(&[("a", &[0, 1])]), set(&[("a", &[0, 1, 2])]))
    }

    fn judged(&self) -> (Vec<Refusal>, Vec<Notice>) {
        let stored = stored(self.before.clone(), self.rollback_of);
        judge(PushInput {
            declared: &declared(&self.after),
            stored: Some(&stored),
            same_content: self.before.files() == self.after.files(),
            before: &declared_before(&declared(&self.before)),
            index: &self.index,
            in_force: self.in_force.as_ref(),
            source: match self.upload {
                Some(upload) => Source::Upload(upload),
                None => Source::Folder {
                    ancestry: &self.ancestry,
                    consent: &self.consent,
                },
            },
        })
    }

    fn codes(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let (refusals, notices) = self.judged();
        for refusal in &refusals {
            assert!(!refusal.to_string().is_empty() && !refusal.fix().is_empty());
        }
        (
            refusals
                .iter()
                .map(|one| RefusalCode::from(one).as_str())
                .collect(),
            notices
                .iter()
                .map(|one| NoticeCode::from(one).as_str())
                .collect(),
        )
    }
}

#[test]
fn removals_count_by_share_and_by_file() {
    let ten: Vec<usize> = (0..9).collect();
    let twenty: Vec<usize> = (0..19).collect();
    let cases: Vec<(Bundle, Bundle, bool)> = vec![
        // With the record set, 10 and 20 resources.
        (set(&[("a", &ten)]), set(&[("a", &ten[1..])]), false),
        (set(&[("a", &ten)]), set(&[("a", &ten[2..])]), true),
        (set(&[("a", &twenty)]), set(&[("a", &twenty[2..])]), false),
        (set(&[("a", &twenty)]), set(&[("a", &twenty[3..])]), true),
        // Fewer than ten: any share, but no whole file.
        (set(&[("a", &[0, 1, 2])]), set(&[("a", &[0])]), false),
        (
            set(&[("a", &[0, 1]), ("b", &[2])]),
            set(&[("a", &[0, 1])]),
            true,
        ),
        (
            set(&[("a", &[0, 1]), ("b", &[2])]),
            set(&[("a", &[0, 1, 2])]),
            false,
        ),
        (
            set(&[("a", &[0, 1]), ("b", &[2])]),
            set(&[("c", &[0, 1, 2])]),
            false,
        ),
        (
            set(&[("a", &[0, 1]), ("b", &[2])]),
            set(&[("c", &[0, 1]), ("b", &[2])]),
            false,
        ),
    ];
    for (number, (before, after, is_refused)) in cases.into_iter().enumerate() {
        let mut case = Case::new(before, after);
        let (refusals, _) = case.codes();
        let expected: &[&str] = if is_refused {
            &["removes-too-much"]
        } else {
            &[]
        };
        assert_eq!(refusals, expected, "case {number}");
        case.consent.removals = true;
        assert_eq!(case.codes().0, [""; 0], "case {number}");
    }
    let lost = Case::new(set(&[("a", &ten)]), set(&[("b", &[20])]));
    let (refusals, _) = lost.judged();
    assert_eq!(
        refusals.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "this removes 9 of 10 resources, all of a/kafka-topics.yaml: dev-t0, dev-t1, dev-t2, \
             dev-t3, dev-t4, dev-t5, dev-t6, dev-t7, dev-t8"
        ]
    );
}

#[test]
fn descent_is_asked_only_of_other_content() {
    let why = || "no git".to_owned();
    let cases = [
        (Ancestry::Descends, &[][..], &[][..]),
        (Ancestry::NotChecked(why()), &[], &["ancestry-not-checked"]),
        (Ancestry::DoesNotDescend, &["not-descended"], &[]),
        (Ancestry::Unknown(why()), &["descent-unknown"], &[]),
    ];
    for (ancestry, refusals, notices) in cases {
        let mut case = Case::plain();
        case.ancestry = ancestry.clone();
        assert_eq!(
            case.codes(),
            (refusals.to_vec(), notices.to_vec()),
            "{ancestry:?}"
        );
        case.consent.force = true;
        assert_eq!(case.codes().0, [""; 0], "{ancestry:?}");
        let mut same = Case::new(case.after.clone(), case.after);
        same.ancestry = ancestry.clone();
        assert_eq!(same.codes(), (vec![], vec![]), "{ancestry:?}");
    }
}

#[test]
fn a_rollback_holds_until_it_is_named() {
    let mut case = Case::plain();
    case.rollback_of = Some("4d1a0b7c2e3f");
    let revision = case.before.revision();
    for (said, is_refused) in [
        (None, true),
        (Some("4d1a0b7c2e3f"), true),
        (Some(&revision[..3]), true),
        (Some(&revision[..7]), false),
        (Some(&revision[..]), false),
    ] {
        case.consent.after_rollback = said.map(str::to_owned);
        let expected: &[&str] = if is_refused { &["rolled-back"] } else { &[] };
        assert_eq!(case.codes().0, expected, "{said:?}");
    }
    case.consent = PushConsent {
        force: true,
        removals: true,
        after_rollback: None,
    };
    assert_eq!(case.codes().0, ["rolled-back"]);
}

#[test]
fn names_of_other_stacks() {
    let mut case = Case::plain();
    let bundle = declared(&case.after);
    let key = bundle
        .resources
        .keys()
        .find(|key| key.kind() == crate::model::Kind::DnsRecordSet);
    let entry = |record_sets: BTreeSet<ResourceKey>, retired| Entry {
        check_every: crate::model::CheckEvery::default(),
        reads: std::collections::BTreeMap::new(),
        revision: "e3b0c44298fc".to_owned(),
        record_sets,
        retired,
    };
    let taken: BTreeSet<ResourceKey> = key.into_iter().cloned().collect();
    assert_eq!(taken.len(), 1);
    for (other, record_sets, retired, expected) in [
        ("prod", taken.clone(), false, &["taken"][..]),
        ("prod", taken.clone(), true, &[]),
        ("dev", taken.clone(), false, &[]),
        ("dev-1", BTreeSet::new(), false, &["names-overlap"]),
        ("dev-1", BTreeSet::new(), true, &[]),
        ("dev1", BTreeSet::new(), false, &[]),
    ] {
        case.index.stacks = [(name(other), entry(record_sets, retired))].into();
        assert_eq!(case.codes().0, expected, "{other} {retired}");
    }
}

#[test]
fn a_looser_policy_is_said_and_not_refused() {
    let mut case = Case::plain();
    case.in_force = Some(Policy::default());
    assert_eq!(case.codes(), (vec![], vec![]));
    let mut texts = case.after.files().clone();
    texts.insert(
        "kedge.yaml".to_owned(),
        "project: t\npolicy: {deploy: disruptive}\n".to_owned(),
    );
    case.after = Bundle::new(texts).unwrap();
    assert_eq!(case.codes(), (vec![], vec!["policy-waits"]));
    case.in_force = Some(Policy {
        deploy: Allowance::Disruptive,
        ..Policy::default()
    });
    assert_eq!(case.codes(), (vec![], vec![]));
}

#[test]
fn record_sets_are_what_is_declared_and_what_is_still_recorded() {
    let declared = declared(&set(&[]));
    let other = ResourceKey::dns_record_set("z", "old.example.com", "A");
    let mut state = State::first(name("dev"), Salt([0; 16]), Policy::default());
    state.resources.insert(other.clone(), Default::default());
    let topic = ResourceKey::kafka_topic("p", "s", "dev-a");
    state.resources.insert(topic, Default::default());
    let listed = BTreeSet::from([other.clone()]);
    let none = BTreeSet::new();
    assert_eq!(record_sets(Some(&declared), Ok(None), &listed).len(), 1);
    assert_eq!(
        record_sets(Some(&declared), Ok(Some(&state)), &none).len(),
        2
    );
    assert_eq!(record_sets(Some(&declared), Err(()), &listed).len(), 2);
}

/// What somebody put there at this time, where what is stored is from another.
fn put(put_at: i64, newer_than: Option<Timestamp>) -> UploadInput<'static> {
    UploadInput {
        put_at: Timestamp(put_at),
        newer_than,
        stored_policy: None,
        state_unread: None,
        is_retired: false,
    }
}

fn of(upload: UploadInput<'static>) -> Case {
    Case {
        upload: Some(upload),
        ..Case::plain()
    }
}

/// The same content again.
fn same(case: Case) -> Case {
    Case {
        after: case.before.clone(),
        ..case
    }
}

fn judged(cases: Vec<(Case, &[&str])>) {
    for (number, (case, expected)) in cases.into_iter().enumerate() {
        assert_eq!(case.codes().0, expected, "{number}");
    }
}

/// 7.6: what is left of a push where nobody can be asked.
#[test]
fn an_upload_is_judged_by_rules_of_its_own() {
    let upload = put(7, Some(Timestamp(7)));
    let removing = || Case::new(set(&[("a", &[0, 1]), ("b", &[2])]), set(&[("a", &[0, 1])]));
    judged(vec![
        (of(upload), &[]),
        // Neither a commit nor a rollback keeps it away: both are of 7.4.
        (
            Case {
                ancestry: Ancestry::DoesNotDescend,
                ..of(upload)
            },
            &[],
        ),
        (
            Case {
                rollback_of: Some("0123456789ab"),
                ..of(upload)
            },
            &[],
        ),
        // What lay there before what is stored.
        (of(put(6, Some(Timestamp(7)))), &["out-of-date"]),
        (of(put(8, Some(Timestamp(7)))), &[]),
        (of(put(6, None)), &[]),
        (same(of(put(6, Some(Timestamp(7))))), &[]),
        // Removals within 7.3, and beyond: nobody can confirm them.
        (
            Case {
                upload: Some(upload),
                ..removing()
            },
            &["removes-too-much"],
        ),
        (
            Case {
                upload: Some(upload),
                consent: PushConsent {
                    removals: true,
                    ..PushConsent::default()
                },
                ..removing()
            },
            &["removes-too-much"],
        ),
    ]);
}

/// 7.6: what nobody can tell, and what has ended.
#[test]
fn an_upload_does_not_begin_anew_and_loosens_nothing_unseen() {
    let upload = put(7, Some(Timestamp(7)));
    let loose = || {
        Some(Policy {
            correct: Allowance::None,
            ..Policy::default()
        })
    };
    let strict = declared(&set(&[("a", &[0, 1])])).policy;
    assert_eq!(strict.correct, Allowance::None);
    judged(vec![
        (
            of(UploadInput {
                is_retired: true,
                ..upload
            }),
            &["retired"],
        ),
        (
            same(of(UploadInput {
                is_retired: true,
                ..upload
            })),
            &["retired"],
        ),
        (
            of(UploadInput {
                state_unread: Some("it is cut"),
                ..upload
            }),
            &["loosening-unknown"],
        ),
        (
            same(of(UploadInput {
                state_unread: Some("it is cut"),
                ..upload
            })),
            &[],
        ),
        (
            Case {
                in_force: loose(),
                ..of(upload)
            },
            &[],
        ),
    ]);
}

/// 4.4, 7.6: a loosening is refused, unless it waits for a person already.
#[test]
fn an_upload_allows_automation_no_more_than_before() {
    let stricter = Policy {
        prune: false,
        ..Policy::default()
    };
    let text = "project: t\npolicy: {prune: true, correct: safe}\n";
    let loosened = set(&[("a", &[0, 1])])
        .with_file("kedge.yaml", text)
        .unwrap();
    let text = "project: t\npolicy: {prune: true}\n";
    let waiting = set(&[("a", &[0, 1])])
        .with_file("kedge.yaml", text)
        .unwrap();
    let waiting: &'static Policy = Box::leak(Box::new(declared(&waiting).policy));
    let case = |stored_policy, after: &Bundle| Case {
        in_force: Some(stricter.clone()),
        upload: Some(UploadInput {
            put_at: Timestamp(1),
            newer_than: None,
            stored_policy,
            state_unread: None,
            is_retired: false,
        }),
        ..Case::new(set(&[("a", &[0])]), after.clone())
    };
    let said =
        |case: Case| -> Vec<String> { case.judged().0.iter().map(ToString::to_string).collect() };
    assert_eq!(
        said(case(None, &loosened)),
        [
            "the policy would allow automation more (correct none → safe, prune false → true), and an \
          upload can't ask a person"
        ]
    );
    assert_eq!(
        said(case(Some(waiting), &loosened)),
        [
            "the policy would allow automation more (correct none → safe), and an upload can't ask a person"
        ]
    );
    let as_before = case(
        Some(waiting),
        &set(&[("a", &[0, 1])])
            .with_file("kedge.yaml", text)
            .unwrap(),
    );
    assert_eq!(as_before.codes(), (vec![], vec!["policy-waits"]));
}
