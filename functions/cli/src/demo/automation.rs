//! The end of the story: nobody types a command any more. Ticks, an upload and the HTTP API go through the
//! same service as `kedge serve`, with a queue that is worked off at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use kedge_core::model::ResourceKey;
use kedge_core::push::{Ancestry, PushConsent};
use kedge_core::stored::run::RunRecord;
use kedge_core::stored::token::{StackPattern, TokenScope};
use kedge_engine::ports::{Clock as _, Condition, Store as _};
use kedge_engine::{DueScope, FolderPush, PushRequest, Query};
use kedge_native::{FolderStore, NativePorts};
use kedge_sandbox::Deed;
use kedge_service::queue::{Acknowledge, Queue, QueueError};
use kedge_service::tokens::{self, TokenRequest};
use kedge_service::work::Work;
use kedge_service::{Instance, Limits, Service, Settings};
use serde_json::{Value, json};

use super::World;
use super::story::{expect, say, title};
use crate::error::CliError;
use crate::screen;

/// The file that is put at `upload/`, and what it declares more than the stored one.
const FILE: &str = "data_plane/kafka-topics.yaml";
const NEW_TOPIC: &str = "\n  - name: \"{stack}-uploaded\"\n    partitions: 3\n";
/// A message that comes again and again ends the demo after so many times.
const MESSAGES_MAX: usize = 100;

/// Work that waits. What is to come later comes at once, and the demo's clock is set on.
#[derive(Default)]
struct DemoQueue {
    waiting: RefCell<VecDeque<Work>>,
}

impl Queue for DemoQueue {
    type Receipt = ();

    async fn send(&self, work: &Work) -> Result<(), QueueError> {
        self.waiting.borrow_mut().push_back(work.clone());
        Ok(())
    }

    async fn later(&self, work: &Work, (): &(), _: u64) -> Result<Acknowledge, QueueError> {
        self.send(work).await?;
        Ok(Acknowledge::ComesAgain)
    }
}

/// What automation of the demo has.
struct Automation<'a> {
    world: &'a World,
    queue: DemoQueue,
    instance: Instance,
    overrides: BTreeMap<String, String>,
    requests_per_minute: BTreeMap<kedge_core::providers::ProviderName, u64>,
    /// The header of a token for the demo's stack.
    authorization: String,
}

type DemoService<'a> = Service<'a, NativePorts, FolderStore, DemoQueue>;

/// Tells it.
pub(super) async fn tell(world: &World) -> Result<(), CliError> {
    let automation = &Automation::new(world).await?;
    push(world).await?;
    automation.tick_corrects().await?;
    automation.upload_deploys().await?;
    automation.http_previews_and_applies().await
}

/// Definitions that automation goes by.
async fn push(world: &World) -> Result<(), CliError> {
    title(
        "9. The definitions are stored, for automation",
        "kedge push",
    )?;
    let budget = world.budget();
    let request = PushRequest::Folder(FolderPush {
        bundle: &world.bundle,
        commit: None,
        branch: None,
        ancestry: &|_| Ancestry::NotChecked("the demo has no git".to_owned()),
        consent: &PushConsent::default(),
    });
    let pushed = world.engine(&budget).push(&world.stack, request).await?;
    say(&format!(
        "stored: {} resources of stack demo. From here on `kedge serve` does the rest.\n",
        pushed.resources
    ))
}

impl<'a> Automation<'a> {
    async fn new(world: &'a World) -> Result<Self, CliError> {
        const HOUR_MS: i64 = 60 * 60 * 1000;
        let pattern = StackPattern::new("demo");
        let request = TokenRequest {
            name: "demo",
            scopes: TokenScope::ALL.into(),
            stacks: pattern.ok_or_else(|| CliError::Demo("no pattern".to_owned()))?,
            lasts_ms: 10 * HOUR_MS,
            created_by: "demo",
        };
        let now = world.ports.now();
        let (_, token) = tokens::issue(&world.ports, &world.store, &request, now).await?;
        Ok(Self {
            world,
            queue: DemoQueue::default(),
            instance: Instance::new(),
            overrides: BTreeMap::new(),
            requests_per_minute: BTreeMap::new(),
            authorization: format!("Bearer {}", token.reveal()),
        })
    }

    fn service(&self) -> DemoService<'_> {
        Service {
            ports: &self.world.ports,
            store: &self.world.store,
            queue: &self.queue,
            settings: Settings {
                overrides: &self.overrides,
                endpoints: &self.world.endpoints,
                lease: kedge_engine::LeaseTimes::default(),
                read_only: false,
                limits: Limits::MACHINE,
                requests_per_minute: &self.requests_per_minute,
                caches: &self.world.caches,
                instance: &self.instance,
                relay_key: None,
            },
        }
    }

    /// A tick, and all the work that comes of it.
    async fn tick(&self) -> Result<(), CliError> {
        let ticked = self.service().tick(DueScope::All).await;
        ticked.map_err(|error| CliError::Demo(kedge_engine::error_chain(&error)))?;
        self.work().await
    }

    /// Works off the queue.
    async fn work(&self) -> Result<(), CliError> {
        for _ in 0..MESSAGES_MAX {
            let next = self.queue.waiting.borrow_mut().pop_front();
            let Some(work) = next else {
                return Ok(());
            };
            let worked = self.service().work(&work.encode(), &()).await;
            worked.map_err(|error| CliError::Demo(kedge_engine::error_chain(&error)))?;
        }
        Err(CliError::Demo("the queue is never empty".to_owned()))
    }

    /// The last run, as history has it.
    async fn last_run(&self) -> Result<RunRecord, CliError> {
        let budget = self.world.budget();
        let engine = self.world.engine(&budget);
        let query = Query {
            most: 1,
            ..Query::default()
        };
        let found = engine.runs(&self.world.stack, &query).await;
        let found = found.map_err(CliError::Store)?;
        let run = found.runs.into_iter().next();
        run.ok_or_else(|| CliError::Demo("there was no run".to_owned()))
    }

    /// Says what the last run did.
    async fn tell_run(&self) -> Result<RunRecord, CliError> {
        let run = self.last_run().await?;
        for one in &run.outcomes {
            let key = ResourceKey::parse(&one.key);
            let name = key.map_or_else(|_| one.key.clone(), |key| key.labelled());
            screen::out_lines(&format!(
                "   {}: {} {name}: {}",
                run.actor, one.verb, one.outcome
            ))?;
        }
        Ok(run)
    }

    async fn tick_corrects(&self) -> Result<(), CliError> {
        title(
            "10. Somebody changes something again; automation finds it and corrects it",
            "",
        )?;
        let deed =
            r#"{"do":"set_topic_config","topic":"demo-runtime","config":{"retention_ms":3600000}}"#;
        screen::out_lines(
            "   a person shortens the retention of demo-runtime from 7 days to 1 hour",
        )?;
        self.world.person(&serde_json::from_str::<Deed>(deed)?)?;
        self.tick().await?;
        let run = self.tell_run().await?;
        expect(
            run.outcomes.len() == 1 && run.actor == "automation",
            "automation restores the retention, and nothing else",
        )?;
        self.world.an_hour_passes();
        Ok(())
    }

    async fn upload_deploys(&self) -> Result<(), CliError> {
        title(
            "11. Definitions are put into the store with any tool, and deployed",
            &format!("aws s3 cp kafka-topics.yaml s3://BUCKET/upload/demo/{FILE}"),
        )?;
        let files = self.world.bundle.files();
        let text = files.get(FILE).map(String::as_str).unwrap_or_default();
        let text = format!("{}{NEW_TOPIC}", text.trim_end());
        let key = format!("upload/demo/{FILE}");
        let store = &self.world.store;
        let put = store.put(&key, Bytes::from(text), Condition::None).await;
        put.map_err(CliError::Store)?;
        self.tick().await?;
        let results = store
            .list(&format!("{key}."))
            .await
            .map_err(CliError::Store)?;
        for key in results {
            let object = store.get(&key).await.map_err(CliError::Store)?;
            let bytes = object.map(|object| object.bytes).unwrap_or_default();
            let result: Value = serde_json::from_slice(&bytes)?;
            screen::out_lines(&format!(
                "   its result, beside it: {} with {} resources",
                result["outcome"].as_str().unwrap_or_default(),
                result["resources"]
            ))?;
        }
        let run = self.tell_run().await?;
        expect(
            run.outcomes
                .iter()
                .any(|one| one.key.ends_with("demo-uploaded")),
            "the new topic is created",
        )?;
        self.world.an_hour_passes();
        Ok(())
    }

    /// A call of the HTTP API.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<(StatusCode, Value), CliError> {
        let body = match body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(body)
            .map_err(|error| CliError::Demo(error.to_string()))?;
        let response = self.service().handle(request).await;
        Ok((response.status(), serde_json::from_slice(response.body())?))
    }

    /// Asks for a run over HTTP, works on it, and reads its answer.
    async fn ask(&self, verb: &str, body: Value) -> Result<Value, CliError> {
        let path = format!("/v1/stacks/demo/{verb}");
        let (status, accepted) = self.call(Method::POST, &path, body).await?;
        screen::out_lines(&format!("   POST {path}: {status}"))?;
        self.work().await?;
        let id = accepted["id"].as_str().unwrap_or_default();
        let path = format!("/v1/stacks/demo/runs/{id}");
        let (status, run) = self.call(Method::GET, &path, Value::Null).await?;
        screen::out_lines(&format!(
            "   GET /v1/stacks/demo/runs/ID: {status}, {}",
            run["status"].as_str().unwrap_or_default()
        ))?;
        Ok(run)
    }

    async fn http_previews_and_applies(&self) -> Result<(), CliError> {
        title(
            "12. A program asks over HTTP: what would be done, and then: do it",
            "",
        )?;
        let deed = r#"{"do":"add_address","name":"demo-1.clustera.io","address":"192.0.2.66"}"#;
        screen::out_lines("   a person adds the address 192.0.2.66 to demo-1.clustera.io")?;
        self.world.person(&serde_json::from_str::<Deed>(deed)?)?;
        let preview = self.ask("preview", Value::Null).await?;
        let digest = &preview["document"]["plan"]["digest"];
        let body = json!({"digest": digest, "allow": ["demo-1.clustera.io"]});
        self.ask("up", body).await?;
        let run = self.tell_run().await?;
        expect(
            run.outcomes.len() == 1 && run.actor == "demo" && run.trigger == "http",
            "the address is removed, by the consent that came over HTTP",
        )?;
        self.world.an_hour_passes();
        self.tick().await?;
        let again = self.last_run().await?;
        expect(
            again.id == run.id,
            "automation changes nothing when it looks again",
        )
    }
}
