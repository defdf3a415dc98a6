//! What is refused, and what can't be used. Nothing is changed by it, and it is said (semantics 7.6).

use kedge_core::stored::OBJECT_BYTES_MAX;
use kedge_engine::StateCommand;
use kedge_tests::pushed::Pushing;

use super::*;

#[test]
fn too_many_removals_are_refused() {
    let mut stack = standing();
    stack.wait_minutes(1);
    let rest = stack.files.remove("area/more/kafka-topics.yaml").unwrap();
    put_archive(&stack);
    let result = refused(&stack);
    assert_eq!(codes(&result), ["removes-too-much"]);
    assert_eq!(
        result["refusals"][0]["fix"],
        "if you mean it, confirm it: kedge push --stack dev --withdraw"
    );
    // Within the limit they are said, and prune nothing by themselves.
    stack.file(
        "area/more/kafka-topics.yaml",
        rest.replace("  - {name: \"{stack}-u8\"}\n", ""),
    );
    stack.wait_minutes(1);
    put_archive(&stack);
    let result = super::result(&stack);
    assert_eq!(
        (&result["outcome"], &result["notices"][0]["code"]),
        (&json!("stored"), &json!("removed"))
    );
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

#[test]
fn a_loosening_that_needs_a_person_is_refused() {
    let mut stack = standing();
    stack.wait_minutes(1);
    let project = stack.files["kedge.yaml"].clone();
    let loose = project.replace("correct: safe", "correct: disruptive");
    put(&stack, "upload/dev/kedge.yaml", loose.clone());
    let result = refused(&stack);
    assert_eq!(codes(&result), ["loosens"]);
    assert_eq!(
        result["refusals"][0]["text"],
        "the policy would allow automation more (correct safe → disruptive), and an upload can't ask \
         a person"
    );
    assert_eq!(
        result["refusals"][0]["fix"],
        "push it, and approve `policy` when you deploy it: kedge push --stack dev"
    );
    // Stricter is always possible.
    stack.file(
        "kedge.yaml",
        project.replace("correct: safe", "correct: none"),
    );
    stack.wait_minutes(1);
    put(
        &stack,
        "upload/dev/kedge.yaml",
        stack.files["kedge.yaml"].clone(),
    );
    assert_eq!(super::result(&stack)["outcome"], "stored");
    stack.up_stored(&Authorisation::Unattended).unwrap();
    // What somebody pushed waits for a person, and the next upload only has it too.
    stack.file("kedge.yaml", loose);
    stack.push(&commit(6));
    stack.many_topics(3, FORTNIGHT);
    stack.wait_minutes(1);
    put_archive(&stack);
    let result = super::result(&stack);
    assert_eq!(result["outcome"], "stored", "{result:#}");
    assert_eq!(result["notices"][0]["code"], "policy-waits");
    // Where state can't be read, nobody knows what is looser.
    let state = stack.state_text();
    stack.ports.store.set("stacks/dev/state.json", "{");
    stack.many_topics(3, "retention_ms: 691200000");
    stack.wait_minutes(1);
    put_archive(&stack);
    assert_eq!(codes(&refused(&stack)), ["loosening-unknown"]);
    stack.ports.store.set("stacks/dev/state.json", state);
    stack.many_topics(3, FORTNIGHT);
    stack
        .up_stored(&kedge_tests::stack::person(&["policy"]))
        .unwrap();
    stack.assert_pushed(&commit(6));
}

#[test]
fn what_does_not_parse_is_said_with_its_place() {
    let mut stack = standing();
    stack.wait_minutes(1);
    let topics = "area/kafka-topics.yaml";
    stack.topics(&[("a", "partitions: 0"), ("b", "partitins: 2")]);
    put_archive(&stack);
    let result = refused(&stack);
    assert_eq!(result["outcome"], "invalid");
    assert_eq!(
        result["problems"],
        json!([
            {
                "file": topics,
                "line": 2,
                "column": 37,
                "message": "`partitions` can't be `0`",
                "hint": "it must be 1 to 1000000",
            },
            {
                "file": topics,
                "line": 3,
                "column": 25,
                "message": "unknown key `partitins`, did you mean `partitions`?",
                "hint": null,
            },
        ])
    );
    // The same of one file, and of what can't be put into them.
    let cases: [(&str, &[u8], &str); 5] = [
        (
            topics,
            stack.files[topics].as_bytes(),
            "area/kafka-topics.yaml:2:37",
        ),
        ("kedge.yaml", b"project: t\nprojekt: t\n", "kedge.yaml:2:1"),
        ("kedge.yaml", b"project: \xe4\n", "kedge.yaml:1:10"),
        (
            "Area/kafka-topics.yaml",
            b"topics: []\n",
            "area/kafka-topics.yaml:null:null",
        ),
        ("notes.txt", b"x", ":null:null"),
    ];
    for (path, bytes, place) in cases {
        put(&stack, &format!("upload/dev/{path}"), bytes.to_vec());
        let result = refused(&stack);
        assert_eq!(result["outcome"], "invalid", "{path}");
        let is_there = |problem: &Value| {
            let file = problem["file"].as_str().unwrap_or_default();
            format!("{file}:{}:{}", problem["line"], problem["column"]) == place
        };
        let problems = result["problems"].as_array().unwrap();
        assert!(problems.iter().any(is_there), "{place}: {problems:#?}");
        stack.wait_minutes(1);
    }
    stack.many_topics(3, "retention_ms: 604800000");
    stack.assert_pushed(&commit(5));
}

#[test]
fn what_is_too_large_is_not_taken_in() {
    let stack = standing();
    stack.wait_minutes(1);
    put(&stack, ARCHIVE, vec![0; OBJECT_BYTES_MAX + 1]);
    let result = refused(&stack);
    assert_eq!(result["outcome"], "invalid");
    assert_eq!(
        result["problems"][0]["message"],
        "this is larger than 4 MiB, the most that is taken"
    );
    stack.assert_pushed(&commit(5));
}

#[test]
fn one_file_needs_definitions_to_go_into() {
    let key = "upload/dev/area/kafka-topics.yaml";
    let refused = |stack: &Stack, said: &str| {
        let before = stack.ports.store.text(DEFINITIONS);
        put(stack, key, stack.files["area/kafka-topics.yaml"].clone());
        let result = result(stack);
        assert_eq!(codes(&result), ["nothing-to-put-into"]);
        let text = result["refusals"][0]["text"].as_str().unwrap();
        assert!(text.contains(said), "{text}");
        assert_eq!(stack.ports.store.text(DEFINITIONS), before);
    };
    let fresh = super::super::push::declared();
    refused(&fresh, "nothing was pushed for stack `dev` yet");
    assert!(
        !fresh
            .ports
            .store
            .keys()
            .iter()
            .any(|key| key.starts_with("stacks/"))
    );
    let stack = edited();
    stack.ports.store.set(DEFINITIONS, "{");
    refused(&stack, "definitions.json can't be used");
    // An archive takes the place of all of it, as a push does.
    put_archive(&stack);
    let result = super::result(&stack);
    assert_eq!(
        (&result["outcome"], &result["notices"][0]["code"]),
        (&json!("stored"), &json!("stored-invalid"))
    );
    assert_eq!(
        stored(&stack).pushed.commit.unwrap().id,
        format!("{:040x}", 5)
    );
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

/// A tick may come long after the upload. What was pushed, rolled back or uploaded as a whole since then is
/// newer, whatever order things are found in.
#[test]
fn what_lay_there_before_what_is_stored_is_out_of_date() {
    let mut stack = edited();
    let file = "area/more/kafka-topics.yaml";
    put_archive(&stack);
    put(
        &stack,
        &format!("upload/dev/{file}"),
        format!("# old\n{}", stack.files[file]),
    );
    stack.wait_minutes(1);
    stack.many_topics(3, "retention_ms: 691200000");
    stack.push(&commit(6));
    let pushed = stored(&stack);
    stack.wait_minutes(1);
    let taken = tick(&stack);
    assert_eq!(taken.len(), 2);
    for one in &taken {
        let TakenOver::Done(document) = one else {
            panic!("{one:?}");
        };
        let refusal = &document.refusals[0];
        assert_eq!(refusal.code.as_str(), "out-of-date");
        let text = format!(
            "it was put there before revision {} was stored (ana@laptop), so it is older",
            pushed.revision()
        );
        assert_eq!(refusal.text.as_str(), text);
        assert_eq!(
            refusal.fix.as_str(),
            "if it is still wanted, put it there again"
        );
    }
    assert_eq!(stored(&stack), pushed);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(6));
}

#[test]
fn an_archive_is_newer_than_a_file_that_was_put_there_before_it() {
    let mut stack = standing();
    let file = "area/more/kafka-topics.yaml";
    stack.wait_minutes(1);
    stack.many_topics(3, FORTNIGHT);
    // A file, then an archive, then another file, all found by one tick: the archive has no less of the
    // first one than it was packed with, and the other one is put into it.
    stack.many_topics(3, FORTNIGHT);
    put(
        &stack,
        &format!("upload/dev/{file}"),
        format!("# older\n{}", stack.files[file]),
    );
    stack.wait_minutes(1);
    put_archive(&stack);
    stack.wait_minutes(1);
    stack.file(
        "kedge.yaml",
        format!("# newer\n{}", stack.files["kedge.yaml"]),
    );
    put(
        &stack,
        "upload/dev/kedge.yaml",
        stack.files["kedge.yaml"].clone(),
    );
    let outcomes: Vec<(String, &str)> = tick(&stack)
        .into_iter()
        .map(|one| match one {
            TakenOver::Done(document) => {
                (document.path.as_str().to_owned(), document.outcome.as_str())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        ("definitions.zip", "stored"),
        (file, "refused"),
        ("kedge.yaml", "stored"),
    ];
    assert_eq!(
        outcomes,
        expected.map(|(path, outcome)| (path.to_owned(), outcome))
    );
    assert_eq!(stored(&stack).bundle.files(), &stack.files);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

#[test]
fn files_that_are_put_there_one_by_one_do_not_make_each_other_out_of_date() {
    let mut stack = standing();
    let text = format!("# newer\n{}", stack.files["kedge.yaml"]);
    stack.file("kedge.yaml", text);
    stack.many_topics(3, FORTNIGHT);
    // The one that was put there last is taken over first.
    for path in ["kedge.yaml", "area/kafka-topics.yaml"] {
        stack.wait_minutes(1);
        let key = format!("upload/dev/{path}");
        put(&stack, &key, stack.files[path].clone());
    }
    for one in tick(&stack) {
        let TakenOver::Done(document) = one else {
            panic!("{one:?}");
        };
        assert_eq!(document.outcome.as_str(), "stored", "{document:?}");
    }
    assert_eq!(stored(&stack).bundle.files(), &stack.files);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

/// 7.4 does not apply: an upload that comes after a rollback ends its push hold. One that lay there before
/// does not undo it.
#[test]
fn a_rollback_is_not_undone_by_what_lay_there() {
    let mut stack = edited();
    let first = stored(&stack).revision();
    put_archive(&stack);
    assert_eq!(result(&stack)["outcome"], "stored");
    stack.wait_minutes(1);
    stack.many_topics(3, "retention_ms: 691200000");
    put_archive(&stack);
    stack.wait_minutes(1);
    stack.rollback(&first).unwrap().unwrap();
    assert_eq!(codes(&refused(&stack)), ["out-of-date"]);
    assert_eq!(stack.refused(&commit(7)), ["rolled-back"]);
    stack.wait_minutes(1);
    put_archive(&stack);
    assert_eq!(result(&stack)["outcome"], "stored");
    assert_eq!(stored(&stack).rollback_of, None);
    stack.up_stored(&Authorisation::Unattended).unwrap();
    stack.assert_pushed(&commit(5));
}

#[test]
fn a_retired_stack_is_begun_anew_by_a_push_alone() {
    let stack = standing();
    let retire = StateCommand::Retire {
        expected_digest: None,
    };
    assert!(stack.command(&retire).1.is_complete());
    let index = stack.ports.store.text("stacks/index.json");
    for _ in 0..2 {
        // The same content too: what lay there must not create anything again.
        stack.wait_minutes(1);
        put_archive(&stack);
        let result = refused(&stack);
        assert_eq!(codes(&result), ["retired"]);
        let fix = "push it, which begins the stack anew: kedge push --stack dev";
        assert_eq!(result["refusals"][0]["fix"], fix);
    }
    assert_eq!(stack.ports.store.text("stacks/index.json"), index);
    stack.push(&Pushing::default());
    stack.up_stored(&kedge_tests::stack::person(&[])).unwrap();
    stack.assert_pushed(&commit(0));
}
