//! A world for functions: the sandbox, a store in a folder, a cloud, and the real binaries.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::future::pending;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::rc::Rc;

use kedge_core::definitions::Bundle;
use kedge_core::model::StackName;
use kedge_core::providers::ProviderName;
use kedge_core::push::{Ancestry, PushConsent};
use kedge_core::stored::token::{StackPattern, TokenScope};
use kedge_engine::ports::Clock as _;
use kedge_engine::{
    Budget, By, Caches, Definitions, Engine, FolderPush, LeaseTimes, Progress, PushRequest,
};
use kedge_native::{FolderStore, HttpOptions, NativeHttp, NativePorts, Settings, secrets_of};
use kedge_sandbox::{Options, Sandbox};
use kedge_service::HeldSettings;
use kedge_service::tokens::{self, TokenRequest};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use crate::cloud::{Answer, Cloud};

/// A stack of two topics that automation may deploy.
const KEDGE: &str = "project: acme\npolicy: {correct: safe, deploy: safe, correct_after: 0}\n";
const STACK: &str =
    "config:\n  acme:aiven_project: clustera-creators\n  acme:kafka_service: kafka-clustera\n";
const TOPICS: &str = "topics:\n  - name: \"{stack}-a\"\n    partitions: 3\n    replication: 3\n  - name: \"{stack}-b\"\n    partitions: 1\n    replication: 3\n";

/// A world for functions.
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) sandbox: Rc<Sandbox>,
    folder: TempDir,
    /// What every function is set to.
    pub(crate) variables: BTreeMap<String, String>,
    ports: NativePorts,
    store: FolderStore,
    held: HeldSettings,
    caches: Caches,
    started: Cell<usize>,
}

impl World {
    /// Tells a story in a world of its own.
    pub(crate) fn tell(story: impl AsyncFnOnce(World)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        LocalSet::new().block_on(&runtime.unwrap(), async {
            story(World::new().await).await;
        });
    }

    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::default();
        let sandbox = Rc::new(Sandbox::new(Options::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sandbox_at = listener.local_addr().unwrap().to_string();
        let serving = kedge_sandbox::serve(Rc::clone(&sandbox), listener, pending());
        tokio::task::spawn_local(serving);
        let variables: BTreeMap<_, _> = ProviderName::ALL
            .into_iter()
            .flat_map(|provider| provider.entry().sandbox_variables(&sandbox_at, "sandbox"))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let settings = Settings::of(variables.clone());
        let http = NativeHttp::new(HttpOptions::default()).unwrap();
        Self {
            cloud,
            sandbox,
            ports: NativePorts::new(http, secrets_of(&settings, folder.path()).0),
            store: FolderStore::create(folder.path().join("store")).unwrap(),
            held: settings.of_service().unwrap(),
            caches: Caches::default(),
            folder,
            variables,
            started: Cell::default(),
        }
    }

    /// Starts a function, which is ready for events then.
    pub(crate) async fn start(&self, name: &str, variables: &[(&str, &str)]) -> Bootstrap {
        let bootstrap = self.run(name, variables).await;
        self.cloud.has_started().await;
        bootstrap
    }

    /// Starts a function that may not get so far.
    pub(crate) async fn run(&self, name: &str, variables: &[(&str, &str)]) -> Bootstrap {
        let at = self.cloud.serve().await;
        self.started.set(self.started.get() + 1);
        let page = |kind: &str| {
            let name = format!("{name}-{}.{kind}", self.started.get());
            self.folder.path().join(name)
        };
        let (logs, metrics) = (page("err"), page("out"));
        let queue = format!("http://{}/111122223333/kedge-work.fifo", at);
        let store = format!("file://{}", self.folder.path().join("store").display());
        let of_lambda = [
            ("AWS_LAMBDA_RUNTIME_API", at.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "kedge"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret-of-the-role"),
            ("AWS_SESSION_TOKEN", "s3cret-session"),
            ("KEDGE_QUEUE_URL", &queue),
            ("KEDGE_STORE", &store),
        ];
        let endpoint = format!("http://{}", at);
        let mut command = crate::command(name);
        command
            .env_clear()
            .env("AWS_ENDPOINT_URL", endpoint)
            .envs(of_lambda)
            .envs(&self.variables)
            .stderr(File::create(&logs).unwrap())
            .stdout(File::create(&metrics).unwrap());
        for (name, value) in variables {
            command.env(name, value);
        }
        let process = command.spawn().unwrap();
        Bootstrap {
            process,
            logs,
            metrics,
        }
    }

    /// A deadline in a minute.
    pub(crate) fn deadline_ms(&self) -> u64 {
        u64::try_from(self.ports.now().plus_ms(60_000).0).unwrap()
    }

    /// Hands over an event.
    pub(crate) async fn invoke(&self, event: Value) -> Answer {
        self.cloud.invoke(self.deadline_ms(), event).await
    }

    /// Hands over messages as SQS does, each with its group and how often it was received, and gives the
    /// numbers of those that SQS is to keep.
    pub(crate) async fn deliver(&self, messages: &[(&str, &str, u32)]) -> Vec<usize> {
        let records = messages.iter().enumerate();
        let records: Vec<_> = records
            .map(|(number, (body, group, received))| {
                json!({
                    "messageId": number.to_string(),
                    "receiptHandle": format!("handle-{number}"),
                    "body": body,
                    "attributes": {
                        "ApproximateReceiveCount": received.to_string(),
                        "MessageGroupId": group,
                    },
                    "messageAttributes": {},
                    "eventSource": "aws:sqs",
                })
            })
            .collect();
        let answer = self.invoke(json!({"Records": records})).await.unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap().iter();
        let ids = failures.map(|one| one["itemIdentifier"].as_str().unwrap());
        ids.map(|id| id.parse().unwrap()).collect()
    }

    /// Works on a message, and on all that are sent meanwhile, until none is left. Gives their lanes.
    pub(crate) async fn deliver_all(&self, first: &Value) -> Vec<String> {
        let mut waiting = vec![first.clone()];
        let mut lanes = Vec::new();
        while let Some(message) = waiting.pop() {
            let text = |name: &str| message[name].as_str().unwrap().to_owned();
            let (body, group) = (text("MessageBody"), text("MessageGroupId"));
            assert_eq!(self.deliver(&[(&body, &group, 1)]).await, [0; 0], "{body}");
            lanes.push(group);
            waiting.extend(self.cloud.take_calls("AmazonSQS.SendMessage"));
        }
        lanes
    }

    /// Pushes a stack of two topics.
    pub(crate) async fn push(&self, stack: &str) {
        let files = [
            ("kedge.yaml", KEDGE),
            (&format!("stacks/{stack}.yaml"), STACK),
            ("area/kafka-topics.yaml", TOPICS),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        self.push_files(stack, files.into()).await;
    }

    /// Pushes the definitions of a stack.
    pub(crate) async fn push_files(&self, stack: &str, files: BTreeMap<String, String>) {
        let bundle = Bundle::new(files).unwrap();
        let request = PushRequest::Folder(FolderPush {
            bundle: &bundle,
            commit: None,
            branch: None,
            ancestry: &|_| Ancestry::NotChecked("there is no git here".to_owned()),
            consent: &PushConsent::default(),
        });
        let budget = Budget::lasting(&self.ports, 60_000);
        let stack = StackName::new(stack).unwrap();
        self.engine(&budget).push(&stack, request).await.unwrap();
    }

    /// Applies a stack as somebody on another machine does, who is cut off once he changes something: his
    /// lease stays.
    pub(crate) async fn cut_off(&self, stack: &str) {
        let budget = Budget::lasting(&self.ports, 60_000);
        let stack = StackName::new(stack).unwrap();
        let engine = self.engine(&budget);
        let has_written = async {
            while !self.sandbox.requests().iter().any(|request| request.write) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = has_written => {}
            applied = engine.apply(&stack, &By::Policy) => panic!("{applied:?}"),
        }
    }

    fn engine<'a>(&'a self, budget: &'a Budget) -> Engine<'a, NativePorts, FolderStore> {
        let settings = kedge_engine::Settings {
            definitions: Definitions::Stored,
            overrides: &self.held.overrides,
            endpoints: &self.held.endpoints,
            budget,
            read_only: false,
            actor: "ana@laptop",
            trigger: "cli",
            run: None,
            lease: LeaseTimes::default(),
            caches: &self.caches,
            progress: &|_: Progress<'_>| {},
        };
        Engine::new(&self.ports, &self.store, settings)
    }

    /// Makes a token for everything.
    pub(crate) async fn token(&self) -> String {
        let request = TokenRequest {
            name: "ci",
            scopes: TokenScope::ALL.into(),
            stacks: StackPattern::new("*").unwrap(),
            lasts_ms: 3_600_000,
            created_by: "ana@laptop",
        };
        let issued = tokens::issue(&self.ports, &self.store, &request, self.ports.now()).await;
        issued.unwrap().1.reveal().to_owned()
    }

    /// The names of the live topics of a stack.
    pub(crate) fn topics(&self, stack: &str) -> Vec<String> {
        let text = self.sandbox.world().to_string();
        let names = ["a", "b"].map(|end| format!("{stack}-{end}"));
        let names = names.into_iter();
        names
            .filter(|name| text.contains(&format!("\"{name}\"")))
            .collect()
    }
}

/// A function that runs.
pub(crate) struct Bootstrap {
    pub(crate) process: Child,
    logs: PathBuf,
    metrics: PathBuf,
}

impl Bootstrap {
    /// What it logged, each line an object.
    pub(crate) fn logs(&self) -> Vec<Value> {
        lines(&fs::read_to_string(&self.logs).unwrap())
    }

    /// The lines that say so.
    pub(crate) fn logs_saying(&self, message: &str) -> Vec<Value> {
        let lines = self.logs().into_iter();
        lines.filter(|line| line["message"] == message).collect()
    }

    /// The metrics that it wrote.
    pub(crate) fn metrics(&self) -> Vec<Value> {
        lines(&fs::read_to_string(&self.metrics).unwrap())
    }

    /// How it ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

fn lines(text: &str) -> Vec<Value> {
    assert!(!text.contains("s3cret"), "{text}");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{text}")))
        .collect()
}

impl Drop for Bootstrap {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
