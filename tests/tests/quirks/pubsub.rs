//! Google Pub/Sub.

use kedge_core::compare::Verdict;
use kedge_sandbox::{Outcome, Provider};
use kedge_tests::stack::{GCP_PROJECT, PUBLISHER, Stack, difference, results};
use serde_json::{Value, json};

use super::{assert_clean, deed, fault, says, stand};

fn stack(subscription: &str) -> Stack {
    let mut stack = Stack::new();
    stack.mail(subscription);
    stack
}

#[test]
fn what_the_server_fills_in_is_no_difference() {
    // Write answers carry `x-goog-version`, reads do not; a short life caps the retention; an
    // organisation's policy chooses the regions; other tools put their labels.
    let stack = stack("push_endpoint: \"https://hooks.example/x\", expiration: 1d");
    stand(&stack);
    deed(
        &stack,
        json!({"do": "patch_pubsub_topic", "topic": "dev-mail", "fields": {
            "messageStoragePolicy": {"allowedPersistenceRegions": ["europe-west1"]},
            "labels": {"goog-pulumi-provisioned": "true"}}}),
    );
    deed(
        &stack,
        json!({"do": "patch_subscription", "subscription": "dev-mail-sub", "fields": {
            "labels": {"goog-terraform-provisioned": "true"}}}),
    );
    stack.assert_settled();
    let world = stack.ports.sandbox.world().to_string();
    assert!(
        world.contains("\"messageRetentionDuration\":\"86400s\""),
        "{world}"
    );
}

#[test]
fn a_member_in_other_letters_is_the_same() {
    let mut stack = stack("");
    let text = stack.files["area/pubsub.yaml"].replace(
        "serviceAccount:gmail-api-push",
        "serviceAccount:Gmail-API-push",
    );
    stack.file("area/pubsub.yaml", text);
    stand(&stack);
    stack.assert_settled();
}

/// The policy of the topic as the sandbox gives it, and back.
fn ask(stack: &Stack, verb: &str, method: &str, body: &Value) -> Value {
    let path = format!("/v1/projects/{GCP_PROJECT}/topics/dev-mail:{verb}");
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .body(body.into());
    let request = request.unwrap_or_else(|error| panic!("{error}"));
    let reply = stack
        .ports
        .sandbox
        .handle(request, stack.ports.executor.now_ms());
    let Outcome::Response(response) = reply.outcome else {
        panic!("no answer");
    };
    assert_eq!(response.status(), 200, "{response:?}");
    serde_json::from_slice(response.body()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn deleted_accounts_and_conditions_pass_through() {
    let stack = stack("");
    stand(&stack);
    let mut policy = ask(&stack, "getIamPolicy", "GET", &Value::Null);
    let gone = "deleted:serviceAccount:old@p.iam.gserviceaccount.com?uid=1";
    let conditional = json!({"role": PUBLISHER, "members": ["user:ana@example.com"],
        "condition": {"title": "soon over", "expression": "request.time < timestamp('2027-01-01T00:00:00Z')"}});
    if let Some(bindings) = policy["bindings"].as_array_mut() {
        // Ours is gone, so that it must be written back beside the others.
        *bindings = vec![
            json!({"role": PUBLISHER, "members": [gone]}),
            conditional.clone(),
        ];
    }
    policy["version"] = json!(3);
    ask(&stack, "setIamPolicy", "POST", &json!({"policy": policy}));
    let report = stack.check();
    let binding = difference(&report, "dev-mail/roles/pubsub.publisher");
    assert_eq!(binding.verdict, Verdict::Drifted);
    let (_, changed) = stack.unattended();
    assert_eq!(results(&changed).len(), 1);
    stack.assert_settled();
    let after = ask(&stack, "getIamPolicy", "GET", &Value::Null);
    let bindings = after["bindings"].as_array().cloned().unwrap_or_default();
    assert!(bindings.contains(&conditional), "{after}");
    assert!(after.to_string().contains(gone), "{after}");
}

#[test]
fn a_young_project_is_asked_again() {
    let stack = stack("");
    let young = says(
        400,
        "The organization policy is not ready yet. Please retry this operation.",
        Some("FAILED_PRECONDITION"),
    );
    fault(&stack, Provider::Pubsub, "/topics/dev-mail", young, 2);
    stand(&stack);
    stack.assert_settled();
}

#[test]
fn a_topic_made_a_moment_ago_may_not_be_known_to_its_subscription() {
    let stack = stack("");
    let unknown = says(404, "Resource not found (resource=dev-mail).", None);
    fault(
        &stack,
        Provider::Pubsub,
        "/subscriptions/dev-mail-sub",
        unknown,
        2,
    );
    stand(&stack);
    assert_clean(&stack);
    stack.assert_settled();
}
