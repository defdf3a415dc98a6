//! The real functions against a cloud of our own, the sandbox, and a store in a folder.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail the test they help"
)]

mod cloud;
mod world;

use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use self::world::World;

const SEND: &str = "AmazonSQS.SendMessage";
const HIDE: &str = "AmazonSQS.ChangeMessageVisibility";

/// The command that starts a function.
fn command(name: &str) -> Command {
    Command::new(match name {
        "schedule" => env!("CARGO_BIN_EXE_schedule"),
        "reconcile" => env!("CARGO_BIN_EXE_reconcile"),
        _ => env!("CARGO_BIN_EXE_http"),
    })
}

/// Which messages were hidden, and for how many seconds.
fn hidden(world: &World) -> Vec<(String, u64)> {
    let calls = world.cloud.take_calls(HIDE).into_iter();
    let read = |call: Value| {
        let handle = call["ReceiptHandle"].as_str().unwrap().to_owned();
        (handle, call["VisibilityTimeout"].as_u64().unwrap())
    };
    calls.map(read).collect()
}

fn apply(stack: &str) -> String {
    format!(r#"{{"format":1,"work":{{"apply":{{"stack":"{stack}","because":"a test"}}}}}}"#)
}

#[test]
fn from_a_tick_to_topics_that_are_there() {
    World::tell(async |world| {
        world.push("dev").await;
        world.push("prod").await;
        let schedule = world.start("schedule", &[]).await;
        let event = json!({"schedule": "2026-11-30T20:15:00Z"});
        assert_eq!(world.invoke(event.clone()).await, Ok(Value::Null));
        let sent = world.cloud.take_calls(SEND);
        let [check] = &sent[..] else {
            panic!("both stacks share a service: {sent:?}");
        };
        let body = check["MessageBody"].as_str().unwrap();
        assert!(
            body.contains(r#""check":{"stacks":["dev","prod"]"#),
            "{body}"
        );
        let lane = check["MessageGroupId"].as_str().unwrap();
        assert!(lane.starts_with("check-"), "{lane}");
        let id = check["MessageDeduplicationId"].as_str().unwrap();
        assert_eq!(id.len(), 32, "{id}");

        // Nothing is due any more, whatever the event says.
        assert_eq!(world.invoke(event).await, Ok(Value::Null));
        assert_eq!(world.cloud.take_calls(SEND), [Value::Null; 0]);
        let ticks = schedule.logs_saying("ticked");
        let counts: Vec<_> = ticks
            .iter()
            .map(|line| [&line["stacks"], &line["checks"], &line["groups"]].map(|n| n.as_u64()))
            .collect();
        assert_eq!(
            counts,
            [[Some(2), Some(2), Some(1)], [Some(2), Some(0), Some(0)]]
        );
        assert_eq!(ticks[0]["level"], "INFO");
        assert!(ticks[0]["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(ticks[0]["spans"][0]["request.id"], "invocation-1");
        let checks: Vec<_> = schedule.metrics();
        let checks: Vec<_> = checks.iter().map(|line| &line["ChecksSent"]).collect();
        assert_eq!(checks, [&json!(2), &json!(0)]);
        drop(schedule);

        let reconcile = world.start("reconcile", &[]).await;
        let mut lanes = world.deliver_all(check).await;
        lanes.sort();
        assert_eq!(lanes, [lane, "stack-dev", "stack-prod"]);
        assert_eq!(world.topics("dev"), ["dev-a", "dev-b"]);
        assert_eq!(world.topics("prod"), ["prod-a", "prod-b"]);
        // The same message again changes nothing, and nothing is left to do.
        world.sandbox.clear_requests();
        assert_eq!(world.deliver_all(check).await, [lane]);
        let writes = world.sandbox.requests();
        assert!(!writes.iter().any(|request| request.write), "{writes:?}");
        let verdicts = reconcile.logs_saying("run ended");
        let verdicts: Vec<_> = verdicts
            .iter()
            .map(|line| format!("{} {}", line["verb"], line["verdict"]).replace('"', ""))
            .collect();
        assert_eq!(verdicts.len(), 6, "{verdicts:?}");
        assert_eq!(verdicts[4..], ["check clean", "check clean"]);
        let metrics = reconcile.metrics();
        assert_eq!(metrics.len(), 6);
        let made: u64 = metrics
            .iter()
            .filter_map(|line| line["ChangesMade"].as_u64())
            .sum();
        assert_eq!(made, 4);
    });
}

#[test]
fn of_a_batch_each_message_has_its_own_end() {
    World::tell(async |world| {
        world.push("dev").await;
        world.push("prod").await;
        let reconcile = world.start("reconcile", &[]).await;
        let (dev, prod) = (apply("dev"), apply("prod"));
        let batch = [
            (dev.as_str(), "stack-dev", 1),
            ("not ours", "stack-prod", 2),
            (&prod, "stack-prod", 1),
            (&dev, "stack-dev", 3),
        ];
        assert_eq!(world.deliver(&batch).await, [1, 2]);
        assert_eq!(world.topics("dev"), ["dev-a", "dev-b"]);
        assert_eq!(world.topics("prod"), [""; 0]);
        // Neither is hidden: one is put aside soon, the other comes right after it.
        let zero = |handle: &str| (handle.to_owned(), 0);
        assert_eq!(hidden(&world), [zero("handle-1"), zero("handle-2")]);
        let failed = reconcile.logs_saying("message failed");
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(failed[0]["message_id"], "1");
        let why = failed[0]["error"].as_str().unwrap();
        assert!(why.starts_with("the message can't be read: "), "{why}");
        let counted = reconcile.metrics();
        let counted = counted.iter().filter(|line| line["MessageFailed"] == 1);
        assert_eq!(counted.count(), 1);
    });
}

#[test]
fn a_message_that_fails_is_hidden_longer_each_time() {
    World::tell(async |world| {
        world.push("dev").await;
        let reconcile = world.start("reconcile", &[]).await;
        let check = json!({"format": 1, "work": {"check": {
            "stacks": ["dev"], "tick_ms": 1, "not_before_ms": 1
        }}});
        // The check finds work to do, and can't send it.
        world.cloud.refuse(Some(SEND));
        for (received, seconds) in [(1, 10), (4, 80), (9, 300)] {
            let batch = [(check.to_string(), "check-1", received)];
            let batch = batch.each_ref().map(|one| (one.0.as_str(), one.1, one.2));
            assert_eq!(world.deliver(&batch).await, [0]);
            assert_eq!(hidden(&world), [("handle-0".to_owned(), seconds)]);
        }
        assert_eq!(reconcile.logs_saying("message failed").len(), 3);
        // Nor can it be hidden: it comes again all the same.
        world.cloud.refuse(Some(HIDE));
        assert_eq!(world.deliver(&[("not ours", "g", 1)]).await, [0]);
    });
}

#[test]
fn a_message_that_waits_is_hidden_and_in_the_end_goes_on_as_a_copy() {
    World::tell(async |world| {
        world.push("dev").await;
        let _reconcile = world.start("reconcile", &[]).await;
        world.cut_off("dev").await;
        world.cloud.take_calls(SEND);
        let work = apply("dev");
        // Somebody else has the stack: 60 s, and 30 s of grace.
        assert_eq!(world.deliver(&[(&work, "stack-dev", 4)]).await, [0]);
        let found = hidden(&world);
        let [(handle, seconds)] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(handle, "handle-0");
        assert!((60..=90).contains(seconds), "{seconds}");
        assert_eq!(world.cloud.take_calls(SEND), [Value::Null; 0]);

        assert_eq!(world.deliver(&[(&work, "stack-dev", 5)]).await, [0; 0]);
        let sent = world.cloud.take_calls(SEND);
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!(sent[0]["MessageBody"], work.as_str());
        assert_eq!(sent[0]["MessageGroupId"], "stack-dev");
        // Not that of the work: SQS would take it for the message that waits.
        assert_eq!(sent[0]["MessageDeduplicationId"], "0");
        // Where no copy can be sent, the message stays.
        world.cloud.refuse(Some(SEND));
        assert_eq!(world.deliver(&[(&work, "stack-dev", 6)]).await, [0]);
    });
}

#[test]
fn work_ends_in_time_and_a_deadline_that_is_none_is_not_believed() {
    World::tell(async |world| {
        world.push("dev").await;
        let reconcile = world.start("reconcile", &[]).await;
        let records = |body: &str| {
            json!({"Records": [{
                "messageId": "0", "receiptHandle": "h", "body": body,
                "attributes": {"MessageGroupId": "stack-dev"},
            }]})
        };
        let soon = world.deadline_ms() - 55_000;
        let answer = world.cloud.invoke(soon, records(&apply("dev"))).await;
        assert_eq!(answer, Ok(json!({"batchItemFailures": []})));
        assert_eq!(world.topics("dev"), [""; 0]);
        // That of cargo-lambda's emulator.
        let answer = world.cloud.invoke(600_000, records(&apply("dev"))).await;
        assert_eq!(answer, Ok(json!({"batchItemFailures": []})));
        assert_eq!(world.topics("dev"), ["dev-a", "dev-b"]);
        let runs = reconcile.logs_saying("run ended");
        let outcomes: Vec<_> = runs.iter().map(|line| &line["outcome"]).collect();
        assert_eq!(outcomes.len(), 2, "{runs:?}");
        assert_eq!(outcomes[1], "done");
    });
}

/// A request as a function URL hands it over.
fn url(method: &str, path: &str, query: &str, token: &str) -> Value {
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"authorization": format!("Bearer {token}")},
        "requestContext": {"timeEpoch": 0, "http": {"method": method, "path": path}},
        "isBase64Encoded": false,
    })
}

#[test]
fn a_check_is_asked_for_over_http_and_answered_by_the_queue() {
    World::tell(async |world| {
        world.push("dev").await;
        let token = world.token().await;
        let _http = world.start("http", &[]).await;
        let ask = async |method: &str, path: &str, token: &str| {
            let answer = world.invoke(url(method, path, "", token)).await.unwrap();
            let body = answer["body"].as_str().unwrap_or_default();
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            (answer["statusCode"].as_u64().unwrap(), body, answer)
        };
        let (status, body, _) = ask("GET", "/version", "").await;
        assert_eq!(
            (status, &body["version"]),
            (200, &json!(env!("CARGO_PKG_VERSION")))
        );
        let (status, body, answer) = ask("GET", "/v1/stacks", "kdg_none").await;
        assert_eq!(
            (status, &body["type"]),
            (401, &json!("urn:kedge:problem:token-refused"))
        );
        assert_eq!(
            answer["headers"]["content-type"],
            "application/problem+json"
        );
        for (name, expected) in [("d%65v", 200), ("d%65v%2F", 404)] {
            let (status, body, _) = ask("GET", &format!("/v1/stacks/{name}"), &token).await;
            assert_eq!(status, expected, "{body}");
        }
        let mut broken = url("GET", "/version", "", "");
        broken["rawPath"] = json!("no path");
        let answer = world.invoke(broken).await.unwrap();
        assert_eq!(answer["statusCode"], 400);

        let (status, body, answer) = ask("POST", "/v1/stacks/dev/check", &token).await;
        assert_eq!(status, 202, "{body}");
        let place = answer["headers"]["location"].as_str().unwrap().to_owned();
        let sent = world.cloud.take_calls(SEND);
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!(sent[0]["MessageGroupId"], "stack-dev");
        drop(_http);

        let reconcile = world.start("reconcile", &[]).await;
        let lanes = world.deliver_all(&sent[0]).await;
        assert!(lanes.iter().all(|lane| lane == "stack-dev"), "{lanes:?}");
        drop(reconcile);
        let _http = world.start("http", &[]).await;
        let answer = world.invoke(url("GET", &place, "", &token)).await.unwrap();
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(answer["statusCode"], 200, "{body}");
        assert_eq!(body["format"], "kedge.run/1");
    });
}

#[test]
fn secrets_are_fetched_before_the_first_event_and_are_in_no_log() {
    World::tell(async |mut world| {
        const ARN: &str = "arn:aws:ssm:eu-central-1:111122223333:parameter/kedge/aiven";
        world.push("dev").await;
        world.variables.remove("AIVEN_TOKEN");
        world.cloud.set_parameter(ARN, "s3cret-token\n");
        let reconcile = world.start("reconcile", &[("AIVEN_TOKEN_ARN", ARN)]).await;
        let asked = world.cloud.take_calls("AmazonSSM.GetParameters");
        assert_eq!(asked, [json!({"Names": [ARN], "WithDecryption": true})]);
        assert_eq!(
            world.deliver(&[(&apply("dev"), "stack-dev", 1)]).await,
            [0; 0]
        );
        assert_eq!(world.topics("dev"), ["dev-a", "dev-b"]);
        assert_eq!(reconcile.logs_saying("run ended").len(), 1);
        assert_eq!(
            world.cloud.take_calls("AmazonSSM.GetParameters"),
            [Value::Null; 0]
        );
    });
}

#[test]
fn a_secret_that_is_missing_is_said_and_only_what_needs_it_suffers() {
    World::tell(async |mut world| {
        const ARN: &str = "arn:aws:ssm:eu-central-1:111122223333:parameter/kedge/aiven";
        world.push("dev").await;
        world.variables.remove("AIVEN_TOKEN");
        let reconcile = world.start("reconcile", &[("AIVEN_TOKEN_ARN", ARN)]).await;
        assert_eq!(
            world.deliver(&[(&apply("dev"), "stack-dev", 1)]).await,
            [0; 0]
        );
        let said = reconcile.logs();
        let said = said.iter().filter(|line| line["level"] == "ERROR");
        let said: Vec<_> = said.map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("AIVEN_TOKEN_ARN") && said[0].contains(ARN),
            "{said:?}"
        );
        let runs = reconcile.logs_saying("run ended");
        assert_eq!(runs[0]["verdict"], "incomplete");
    });
}

#[test]
fn what_can_not_work_says_so_when_it_starts() {
    World::tell(async |world| {
        for (name, variables, part) in [
            (
                "schedule",
                ("KEDGE_QUEUE_URL", ""),
                "KEDGE_QUEUE_URL is not set",
            ),
            ("reconcile", ("KEDGE_QUEUE_URL", "https://q/1/work"), "FIFO"),
            (
                "http",
                ("KEDGE_READ_ONLY", "s3cret"),
                "KEDGE_READ_ONLY must be",
            ),
            (
                "http",
                ("AIVEN_WEB_URL", "no address"),
                "AIVEN_WEB_URL must be",
            ),
        ] {
            let mut bootstrap = world.run(name, &[variables]).await;
            assert_eq!(bootstrap.ended().code(), Some(1));
            let lines = bootstrap.logs();
            let message = lines[0]["message"].as_str().unwrap();
            assert!(message.contains(part), "{message}");
        }
    });
}

#[test]
fn a_tick_that_fails_is_an_error_that_is_told_once() {
    World::tell(async |world| {
        world.push("dev").await;
        let schedule = world.start("schedule", &[]).await;
        world.cloud.refuse(Some(SEND));
        let error = world.invoke(json!({})).await.unwrap_err();
        assert_eq!(error["errorType"], "TickFailed");
        let said = error["errorMessage"].as_str().unwrap();
        assert!(said.contains("kedge-work.fifo"), "{said}");
        assert_eq!(said.matches("did not take a message").count(), 1, "{said}");
        let logged = schedule.logs();
        let logged = logged.iter().filter(|line| line["level"] == "ERROR");
        assert_eq!(logged.count(), 1);
        // The next one makes up for it.
        world.cloud.refuse(None);
        world.cloud.take_calls(SEND);
        assert_eq!(world.invoke(json!("anything")).await, Ok(Value::Null));
        assert_eq!(world.cloud.take_calls(SEND).len(), 1);
    });
}

/// A store that can't be used: HTTP answers say that something is wrong, and not what.
#[test]
fn http_answers_whatever_is_wrong() {
    World::tell(async |world| {
        let http = world
            .start("http", &[("KEDGE_STORE", "file:///nowhere")])
            .await;
        let answer = world.invoke(url("GET", "/version", "", "")).await.unwrap();
        assert_eq!(answer["statusCode"], 500);
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["type"], "urn:kedge:problem:internal");
        assert!(!body.to_string().contains("nowhere"));
        let said = http.logs();
        assert!(said.iter().any(|line| line.to_string().contains("nowhere")));
    });
}

/// A store that does not answer: the request has an answer before its time is over.
#[test]
fn http_answers_in_time() {
    World::tell(async |world| {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", silent.local_addr().unwrap());
        let store = [
            ("KEDGE_STORE", "s3://bucket"),
            ("R2_ENDPOINT_URL", at.as_str()),
            ("R2_ACCESS_KEY_ID", "id"),
            ("R2_SECRET_ACCESS_KEY", "s3cret"),
        ];
        let http = world.start("http", &store).await;
        for _ in 0..2 {
            let soon = world.deadline_ms() - 59_000;
            let answer = world
                .cloud
                .invoke(soon, url("GET", "/healthz", "", ""))
                .await;
            let answer = answer.unwrap();
            assert_eq!(answer["statusCode"], 503);
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!(body["type"], "urn:kedge:problem:store-failed");
        }
        let late = "a request was not answered in time: the store is slow";
        assert_eq!(http.logs_saying(late).len(), 2);
    });
}
