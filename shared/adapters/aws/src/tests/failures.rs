//! What an answer that is no success means: whether it is tried again, and what it says.

use kedge_core::model::StackName;
use kedge_service::queue::Queue as _;
use kedge_service::work::Work;

use super::*;

const SENT: &str = r#"{"MessageId":"m"}"#;
/// Of a call that may pass, heard or not, so many tries.
const TRIES: usize = 5;

async fn send(stage: &Stage) -> Result<(), String> {
    let queue = stage.queue();
    let work = Work::Request {
        stack: StackName::new("dev").unwrap(),
        id: "1795348800000-0badcafe".to_owned(),
    };
    let sent = stage.play(queue.send(&work)).await;
    sent.map_err(|error| error.to_string())
}

fn refused(code: &str, message: &str) -> String {
    serde_json::json!({ "__type": code, "message": message }).to_string()
}

/// Sends to a service that answers so, and gives back what is said of it. It is not tried again.
async fn said(status: u16, code: &str, message: &str) -> String {
    let stage = Stage::new(&[says(status, &refused(code, message))]).await;
    let error = send(&stage).await.unwrap_err();
    assert_eq!(stage.heard().len(), 1, "{code}");
    assert!(!error.contains("hunter2"), "{error}");
    let host = stage.listener.local_addr().unwrap();
    let begins = format!("the queue failed: kedge.fifo did not take a message: {host} answered ");
    error.strip_prefix(&begins).unwrap_or(&error).to_owned()
}

#[tokio::test]
async fn a_role_that_may_not_is_told_what_it_needs() {
    let user = "User: arn:aws:sts::1:assumed-role/x/x is not authorized to perform";
    for (code, action, advice) in [
        (
            "com.amazonaws.sqs#AccessDenied",
            "sqs:sendmessage",
            "sqs:SendMessage on it",
        ),
        (
            "AccessDeniedException:http://x",
            "sqs:sendmessage",
            "sqs:SendMessage on it",
        ),
        (
            "AccessDeniedException",
            "kms:Decrypt",
            "kms:Decrypt on its key (and kms:GenerateDataKey to send)",
        ),
    ] {
        let message = format!("{user}: {action}");
        let word = code.rsplit('#').next().unwrap().split(':').next().unwrap();
        assert_eq!(
            said(403, code, &message).await,
            format!("403 {word} ({message}); the role needs {advice}")
        );
    }
    // What would tell a credential is left out.
    assert_eq!(
        said(403, "AccessDenied", "hunter2-t0ken is not authorized").await,
        "403 AccessDenied; the role needs sqs:SendMessage on it"
    );
}

#[tokio::test]
async fn what_will_not_pass_is_said_at_once_with_what_to_do() {
    const GONE: &str = "; there is no such queue: is KEDGE_QUEUE_URL right?";
    const CREDENTIALS: &str = "; the credentials are not accepted (AWS_ACCESS_KEY_ID, \
                               AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), or this machine's clock \
                               is wrong";
    const KMS: &str = "; the role needs kms:Decrypt on its key (and kms:GenerateDataKey to send)";
    let canonical = "The Canonical String should have been 'x-amz-security-token:hunter2-t0ken'";
    for (status, code, message, advice) in [
        (400, "com.amazonaws.sqs#KmsAccessDenied", "x", KMS),
        (400, "com.amazonaws.sqs#QueueDoesNotExist", "x", GONE),
        (400, "AWS.SimpleQueueService.NonExistentQueue", "x", GONE),
        (403, "ExpiredTokenException", "x", CREDENTIALS),
        (403, "SignatureDoesNotMatch", canonical, CREDENTIALS),
        (400, "InvalidParameterValue", "x", ""),
    ] {
        let word = code.rsplit('#').next().unwrap();
        let said = said(status, code, message).await;
        assert_eq!(said, format!("{status} {word}{advice}"));
    }
    assert_eq!(
        said(404, "", "").await,
        "404; is AWS_ENDPOINT_URL_SQS right?"
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for (status, code) in [
        (400, "com.amazonaws.sqs#RequestThrottled"),
        (400, "ThrottlingException"),
        (400, "com.amazonaws.sqs#KmsThrottled"),
        (429, ""),
        (408, "RequestTimeout"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailable"),
    ] {
        let refusal = says(status, &refused(code, "x"));
        let stage = Stage::new(&[refusal.clone(), refusal.clone(), says(200, SENT)]).await;
        send(&stage).await.unwrap();
        let heard = stage.heard();
        assert_eq!(heard.len(), 3, "{code}");
        assert_eq!(
            heard[0].body, heard[2].body,
            "the deduplication id is the same"
        );

        let stage = Stage::new(&vec![refusal; TRIES]).await;
        let error = send(&stage).await.unwrap_err();
        assert!(error.contains("again later"), "{code}: {error}");
        assert_eq!(stage.heard().len(), TRIES, "{code}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_once_more() {
    let stage = Stage::new(&[Act::Drops, says(200, SENT)]).await;
    send(&stage).await.unwrap();
    assert_eq!(stage.heard().len(), 2);
    let stage = Stage::new(&[Act::Drops, Act::Drops]).await;
    let error = send(&stage).await.unwrap_err();
    assert!(
        error.starts_with("the queue failed: kedge.fifo did not take a message: 127.0.0.1:"),
        "{error}"
    );
    assert_eq!(stage.heard().len(), 2);
}

/// A success that does not say that the message was taken is none: a proxy's page, a batch's answer of which
/// an entry failed, another service.
#[tokio::test]
async fn a_success_that_is_not_the_services_is_none() {
    for body in [
        "",
        "{}",
        "<html>Welcome to the hotel</html>",
        r#"{"Successful":[],"Failed":[{"Id":"0","Code":"InternalError","SenderFault":false}]}"#,
        r#"{"MessageId":null}"#,
    ] {
        let stage = Stage::new(&[says(200, body)]).await;
        let error = send(&stage).await.unwrap_err();
        assert!(
            error.contains("gave an answer that is not AWS's"),
            "{body}: {error}"
        );
        assert_eq!(stage.heard().len(), 1);
    }
    let stage = Stage::new(&[says(200, &" ".repeat(2_001))]).await;
    let error = send(&stage).await.unwrap_err();
    assert!(error.contains("2000"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_said_with_the_host() {
    // A port that was free a moment ago.
    let stage = Stage::new(&[]).await;
    let queue = stage.queue();
    let host = stage.listener.local_addr().unwrap().to_string();
    drop(stage);
    let work = Work::Request {
        stack: StackName::new("dev").unwrap(),
        id: "1795348800000-0badcafe".to_owned(),
    };
    let error = queue.send(&work).await.unwrap_err().to_string();
    assert!(error.contains(&host), "{error}");
}
