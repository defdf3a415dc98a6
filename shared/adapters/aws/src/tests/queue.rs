//! What is sent to SQS.

use kedge_core::model::{StackName, Timestamp};
use kedge_service::queue::{Acknowledge, Queue as _};
use kedge_service::work::Work;
use serde_json::json;

use super::*;
use crate::Receipt;

fn apply() -> Work {
    Work::Apply {
        stack: StackName::new("payments").unwrap(),
        because: "e3b0c44298fc".to_owned(),
    }
}

fn receipt() -> Receipt {
    Receipt {
        handle: "AQEB/+=".to_owned(),
    }
}

#[tokio::test]
async fn work_is_sent_once_to_its_lane() {
    let stage = Stage::new(&[says(200, r#"{"MessageId":"m","MD5OfMessageBody":"x"}"#)]).await;
    let queue = stage.queue();
    let work = apply();
    stage.play(queue.send(&work)).await.unwrap();
    let heard = stage.heard_one();
    assert_eq!(heard.line, "POST / HTTP/1.1");
    assert_eq!(
        heard.body,
        json!({
            "QueueUrl": QUEUE,
            "MessageBody": work.encode(),
            "MessageGroupId": "stack-payments",
            "MessageDeduplicationId": work.id(),
        })
    );
    assert_eq!(heard.headers["x-amz-target"], "AmazonSQS.SendMessage");
    assert_eq!(heard.headers["content-type"], "application/x-amz-json-1.0");
    assert_eq!(heard.headers["x-amz-security-token"], TOKEN);
    let signed = &heard.headers["authorization"];
    assert!(
        signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
        "{signed}"
    );
    assert!(
        signed.contains("/eu-central-1/sqs/aws4_request, "),
        "{signed}"
    );
    assert!(!format!("{queue:?}").contains("hunter2"));
}

#[tokio::test]
async fn ids_and_lanes_are_what_a_fifo_queue_takes() {
    let longest = StackName::new(&"a".repeat(StackName::LENGTH_MAX)).unwrap();
    let check = Work::Check {
        stacks: vec![longest.clone(); 500],
        tick: Timestamp(5),
        not_before: Timestamp(5),
    };
    let request = Work::Request {
        stack: longest,
        id: "1795348800000-0badcafe".to_owned(),
    };
    for work in [check, request, apply()] {
        for text in [work.id(), work.lane()] {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
            assert!(is_plain && (1..=128).contains(&text.len()), "{text}");
        }
        assert!(work.encode().len() < 256 * 1024);
    }
}

#[tokio::test]
async fn what_comes_later_is_hidden_until_then() {
    for (in_ms, seconds) in [
        (0, 0),
        (1, 1),
        (90_000, 90),
        (90_001, 91),
        (42_300_000, 42_300),
        (42_300_001, 42_300),
        (u64::MAX, 42_300),
    ] {
        let stage = Stage::new(&[says(200, "")]).await;
        let queue = stage.queue();
        let (work, receipt) = (apply(), receipt());
        let later = queue.later(&work, &receipt, in_ms);
        let answer = stage.play(later).await.unwrap();
        assert_eq!(answer, Acknowledge::ComesAgain);
        let heard = stage.heard_one();
        let target = &heard.headers["x-amz-target"];
        assert_eq!(target, "AmazonSQS.ChangeMessageVisibility");
        assert_eq!(
            heard.body,
            json!({
                "QueueUrl": QUEUE,
                "ReceiptHandle": "AQEB/+=",
                "VisibilityTimeout": seconds,
            })
        );
    }
}

#[tokio::test]
async fn a_message_that_nobody_holds_comes_again_by_itself() {
    for code in [
        "com.amazonaws.sqs#MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
    ] {
        let stage = Stage::new(&[says(400, &format!(r#"{{"__type":"{code}"}}"#))]).await;
        let queue = stage.queue();
        let hidden = stage.play(queue.hide(&receipt(), 1_000)).await;
        assert_eq!(hidden, Ok(()));
    }
}

#[tokio::test]
async fn a_message_that_can_not_be_hidden_is_said_to_be_that() {
    let refusal = r#"{"__type":"com.amazonaws.sqs#AccessDenied","message":"no"}"#;
    let stage = Stage::new(&[says(403, refusal), says(403, refusal)]).await;
    let queue = stage.queue();
    let host = stage.listener.local_addr().unwrap();
    let expected = format!(
        "the queue failed: kedge.fifo did not hide a message: {host} answered 403 AccessDenied (no); \
         the role needs sqs:ChangeMessageVisibility on it"
    );
    let hidden = stage.play(queue.hide(&receipt(), 1_000)).await;
    assert_eq!(hidden.unwrap_err().to_string(), expected);
    let (work, receipt) = (apply(), receipt());
    let later = stage.play(queue.later(&work, &receipt, 1_000)).await;
    assert_eq!(later.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn work_that_is_sent_again_is_no_duplicate_of_its_message() {
    let stage = Stage::new(&[says(200, r#"{"MessageId":"m"}"#)]).await;
    let queue = stage.queue();
    let message_id = "219f8380-5770-4cc2-8c3e-5c715e145f5e";
    let work = apply();
    let sent = queue.send_again(&work, message_id);
    stage.play(sent).await.unwrap();
    assert_eq!(
        stage.heard_one().body,
        json!({
            "QueueUrl": QUEUE,
            "MessageBody": work.encode(),
            "MessageGroupId": "stack-payments",
            "MessageDeduplicationId": message_id,
        })
    );
}

/// SQS is where the queue's URL says, which also holds for other partitions and private endpoints.
#[test]
fn a_queue_is_named_by_its_url() {
    let settings = AwsSettings::from_variables(variable).unwrap();
    let of = |url: &str| SqsQueue::new(&settings, &http(), "KEDGE_QUEUE_URL", url);
    let queue = of("https://sqs.cn-north-1.amazonaws.com.cn/1/kedge.fifo").unwrap();
    let shown = format!("{queue:?}");
    let base = r#"base: "https://sqs.cn-north-1.amazonaws.com.cn""#;
    assert!(shown.contains(base), "{shown}");
    for bad in [
        "https://sqs.eu-central-1.amazonaws.com/1/kedge",
        "arn:aws:sqs:eu-central-1:1:kedge.fifo",
        "https://user:hunter2@h/kedge.fifo",
        "",
    ] {
        let error = of(bad).unwrap_err().to_string();
        assert!(error.starts_with("KEDGE_QUEUE_URL must be "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
