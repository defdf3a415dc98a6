//! What somebody with a token asks over HTTP.

use bytes::Bytes;
use http::{Method, Request};
use kedge_core::stored::token::{StackPattern, TokenScope};
use kedge_service::tokens::{self, TokenRequest};
use kedge_tests::platform::Platform;
use kedge_tests::ports::SimPorts;
use kedge_tests::stack::Stack;
use serde_json::{Value, json};

/// Whom history names.
pub(super) const CALLER: &str = "ci";

/// Somebody with a token that may do everything.
pub(super) struct Caller {
    token: String,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) json: Value,
}

impl Answered {
    /// The id of the run that was asked for.
    pub(super) fn id(&self) -> Option<String> {
        let is_taken = matches!(self.status, 200 | 202);
        let id = self.json["id"].as_str().filter(|_| is_taken);
        id.map(str::to_owned)
    }
}

impl Caller {
    pub(super) fn new(ports: &SimPorts) -> Self {
        let request = TokenRequest {
            name: CALLER,
            scopes: TokenScope::ALL.into(),
            stacks: StackPattern::new("*").unwrap(),
            lasts_ms: 30 * 24 * 60 * 60 * 1000,
            created_by: "ana@laptop",
        };
        let issued = ports
            .executor
            .run(tokens::issue(ports, ports, &request, ports.true_now()));
        let token = issued.unwrap().unwrap().1.reveal().to_owned();
        Self { token }
    }

    /// One request below `/v1/stacks`; a body makes it a POST.
    pub(super) async fn call(
        &self,
        platform: &Platform,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Answered {
        let mut request = Request::builder()
            .uri(format!("/v1/stacks/{path}"))
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = match body {
            None => request.body(Bytes::new()),
            Some(body) => request
                .method(Method::POST)
                .header("content-type", "application/json")
                .body(Bytes::from(body.to_string())),
        };
        let answer = platform.service().handle(request.unwrap()).await;
        Answered {
            status: answer.status().as_u16(),
            json: serde_json::from_slice(answer.body()).unwrap(),
        }
    }

    /// The same, and nothing else happens meanwhile.
    pub(super) fn asks(
        &self,
        platform: &Platform,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Answered {
        let executor = &platform.ports.executor;
        executor.run(self.call(platform, path, body, key)).unwrap()
    }

    /// A preview of this stack, worked on at once: the digest of its plan.
    pub(super) fn previews(&self, platform: &Platform, stack: &Stack) -> String {
        let path = format!("{}/preview", stack.name);
        let asked = self.asks(platform, &path, Some(json!({})), None);
        platform.work(1);
        let run = self.run(platform, stack, &asked.id().unwrap());
        assert_eq!(run["status"], "done", "{run:#}");
        digest(&run).unwrap()
    }

    /// A run, as it stands now.
    pub(super) fn run(&self, platform: &Platform, stack: &Stack, id: &str) -> Value {
        let path = format!("{}/runs/{id}", stack.name);
        let found = self.asks(platform, &path, None, None);
        assert_eq!(found.status, 200, "{found:?}");
        found.json
    }
}

/// The digest of the plan in the document of a run.
pub(super) fn digest(run: &Value) -> Option<String> {
    let digest = run["document"]["plan"]["digest"].as_str()?;
    Some(digest.to_owned())
}
