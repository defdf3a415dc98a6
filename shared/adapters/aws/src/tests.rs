//! The calls against a server that plays a script: what is sent, and what an answer means.

mod failures;
mod queue;
mod secrets;
mod signature;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use kedge_native::{HttpOptions, NativeHttp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::settings::AwsSettings;
use crate::{AwsSecrets, SqsQueue};

const SECRET: &str = "hunter2-s3cret";
const TOKEN: &str = "hunter2-t0ken";
const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/kedge.fifo";

/// What the server does with one request.
#[derive(Clone)]
enum Act {
    /// Status and body.
    Says(u16, String),
    /// The connection is closed without an answer.
    Drops,
}

/// An answer.
fn says(status: u16, body: &str) -> Act {
    Act::Says(status, body.to_owned())
}

/// A request, as the server got it.
#[derive(Debug, Clone)]
struct Heard {
    /// Method and path.
    line: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// A server with a script.
struct Stage {
    listener: TcpListener,
    script: RefCell<VecDeque<Act>>,
    heard: RefCell<Vec<Heard>>,
}

impl Stage {
    async fn new(script: &[Act]) -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            script: RefCell::new(script.iter().cloned().collect()),
            heard: RefCell::default(),
        }
    }

    fn settings(&self) -> AwsSettings {
        let endpoint = format!("http://{}/", self.listener.local_addr().unwrap());
        let settings = AwsSettings::from_variables(|name| match name {
            "AWS_ENDPOINT_URL" => Some(&endpoint),
            _ => variable(name),
        });
        let mut settings = settings.unwrap();
        settings.pause_ms = 0;
        settings
    }

    fn queue(&self) -> SqsQueue {
        SqsQueue::new(&self.settings(), &http(), "KEDGE_QUEUE_URL", QUEUE).unwrap()
    }

    /// Secrets that these variables name.
    fn secrets(&self, arns: &[(&'static str, &str)]) -> AwsSecrets {
        let names: Vec<String> = arns
            .iter()
            .map(|(name, _)| name.trim_end_matches("_ARN").to_owned())
            .collect();
        let find = |name: &str| arns.iter().find(|arn| arn.0 == name).map(|arn| arn.1);
        let names = names.iter().map(String::as_str);
        AwsSecrets::from_variables(&self.settings(), &http(), names, find).unwrap()
    }

    /// Plays the script, one connection per request.
    async fn serve(&self) {
        loop {
            let (mut socket, _) = self.listener.accept().await.unwrap();
            let request = read_request(&mut socket).await;
            self.heard.borrow_mut().push(request);
            let act = self.script.borrow_mut().pop_front();
            match act.expect("a request that is not in the script") {
                Act::Says(status, body) => {
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    socket.write_all(answer.as_bytes()).await.unwrap();
                }
                Act::Drops => {}
            }
        }
    }

    async fn play<T>(&self, ask: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            answer = ask => answer,
            () = self.serve() => unreachable!(),
        }
    }

    /// The requests, and that the script was played to its end.
    fn heard(&self) -> Vec<Heard> {
        assert_eq!(self.script.borrow().len(), 0, "of the script is left");
        self.heard.borrow().clone()
    }

    /// The one request that came.
    fn heard_one(&self) -> Heard {
        let heard = self.heard();
        let [one] = &heard[..] else {
            panic!("{heard:?}");
        };
        one.clone()
    }
}

/// What Lambda sets.
fn variable(name: &str) -> Option<&'static str> {
    match name {
        "AWS_REGION" => Some("eu-central-1"),
        "AWS_ACCESS_KEY_ID" => Some("AKIDEXAMPLE"),
        "AWS_SECRET_ACCESS_KEY" => Some(SECRET),
        "AWS_SESSION_TOKEN" => Some(TOKEN),
        _ => None,
    }
}

fn http() -> NativeHttp {
    let options = HttpOptions {
        answer_bytes_max: 2_000,
        // What it forbids is not asked of the platform.
        read_only: true,
        ..HttpOptions::default()
    };
    NativeHttp::new(options).unwrap()
}

async fn read_request(socket: &mut TcpStream) -> Heard {
    let mut request = String::new();
    let mut piece = [0; 4096];
    loop {
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let line = lines.next().unwrap().to_owned();
            let header = |line: &str| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_ascii_lowercase(), value.to_owned())
            };
            let headers: BTreeMap<String, String> = lines.map(header).collect();
            let length = headers.get("content-length");
            if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                return Heard {
                    line,
                    headers,
                    body: serde_json::from_str(body).unwrap_or(Value::Null),
                };
            }
        }
        let length = socket.read(&mut piece).await.unwrap();
        assert_ne!(length, 0, "the client hung up");
        request += std::str::from_utf8(&piece[..length]).unwrap();
    }
}

#[test]
fn settings_name_what_is_missing_and_show_no_secret() {
    let settings = AwsSettings::from_variables(variable).unwrap();
    let shown = format!("{settings:?}");
    assert!(shown.contains("eu-central-1"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    for missing in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        for value in [None, Some(""), Some(" ")] {
            let of = |name: &str| {
                if name == missing {
                    value
                } else {
                    variable(name)
                }
            };
            let error = AwsSettings::from_variables(of).unwrap_err().to_string();
            assert!(error.starts_with(missing), "{error}");
        }
    }
    for (name, bad) in [
        ("AWS_REGION", "eu.example/hunter2"),
        ("AWS_ENDPOINT_URL", "127.0.0.1:4566/hunter2"),
        ("AWS_ENDPOINT_URL", "http://user:hunter2@h"),
        ("AWS_ENDPOINT_URL_SSM", "ftp://hunter2"),
        ("AWS_ENDPOINT_URL_SQS", "http://h/?hunter2"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://h/#hunter2"),
    ] {
        let of = |asked: &str| {
            if asked == name {
                Some(bad)
            } else {
                variable(asked)
            }
        };
        let error = AwsSettings::from_variables(of).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name} must")), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
