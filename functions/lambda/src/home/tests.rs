//! Secrets that are replaced while a function lives.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kedge_engine::ports::Secrets as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::*;

const ARN: &str = "arn:aws:ssm:eu-central-1:111122223333:parameter/kedge/aiven";
const FIVE_MINUTES_MS: i64 = 5 * 60 * 1000;

/// SSM with one parameter at `/`, and somebody who refuses every credential elsewhere.
#[derive(Default)]
struct Server {
    token: Cell<&'static str>,
    fetches: Cell<usize>,
    /// Whether SSM does not answer.
    hangs: Cell<bool>,
}

impl Server {
    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let mut response = Response::new(Full::default());
        match request.uri().path() {
            "/" => {
                self.fetches.set(self.fetches.get() + 1);
                if self.hangs.get() {
                    std::future::pending::<()>().await;
                }
                let parameter = json!({"ARN": ARN, "Value": self.token.get()});
                let body = json!({"Parameters": [parameter], "InvalidParameters": []});
                *response.body_mut() = Full::new(body.to_string().into());
            }
            _ => *response.status_mut() = http::StatusCode::UNAUTHORIZED,
        }
        Ok(response)
    }
}

/// A function and its server.
struct Scene {
    home: Home,
    server: Rc<Server>,
    at: String,
    /// With which token work was done.
    used: RefCell<Vec<String>>,
    /// Where the store is, as long as this is held.
    _store: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let server = Rc::new(Server::default());
        server.token.set("first");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let serving = Rc::clone(&server);
        tokio::task::spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let server = Rc::clone(&serving);
                tokio::task::spawn_local(async move {
                    let service = service_fn(|request| server.answer(request));
                    let stream = TokioIo::new(stream);
                    let _ = http1::Builder::new()
                        .serve_connection(stream, service)
                        .await;
                });
            }
        });
        let store = tempfile::tempdir().unwrap();
        let pairs = [
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "s3cret".to_owned()),
            ("AWS_ENDPOINT_URL", at.clone()),
            ("KEDGE_QUEUE_URL", format!("{at}/1/kedge.fifo")),
            ("KEDGE_STORE", format!("file://{}", store.path().display())),
            ("AIVEN_TOKEN_ARN", ARN.to_owned()),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        Self {
            home: Home::of(pairs.into()).unwrap(),
            server,
            at,
            used: RefCell::default(),
            _store: store,
        }
    }

    /// Does work with a credential, which is refused if it is this one. Gives the tokens it was done with.
    async fn work(&self, refused: &str) -> Vec<String> {
        let work = self.home.do_work(async |wired| {
            let token = wired.ports.secret("AIVEN_TOKEN");
            let token = token.unwrap().reveal().to_owned();
            if token == refused {
                let request = Request::get(format!("{}/topics", self.at));
                let request = request.body(Bytes::new()).unwrap();
                self.home.http.exchange(&request).await.unwrap();
            }
            self.used.borrow_mut().push(token);
        });
        work.await.unwrap();
        self.used.take()
    }

    fn after(&self, ms: i64) {
        let ahead_ms = &self.home.clock.ahead_ms;
        ahead_ms.set(ahead_ms.get() + ms);
    }

    fn fetches(&self) -> usize {
        self.server.fetches.get()
    }
}

async fn scene(story: impl AsyncFnOnce(Scene)) {
    let local = LocalSet::new();
    local
        .run_until(async { story(Scene::new().await).await })
        .await;
}

#[tokio::test]
async fn a_credential_that_is_refused_is_fetched_again_and_the_work_is_done_again() {
    scene(async |scene| {
        assert_eq!(scene.work("").await, ["first"]);
        scene.server.token.set("second");
        scene.after(FIVE_MINUTES_MS);
        // Nobody refuses it, so nobody asks.
        assert_eq!(scene.work("").await, ["first"]);
        assert_eq!(scene.fetches(), 1);
        assert_eq!(scene.work("first").await, ["first", "second"]);
        assert_eq!(scene.work("first").await, ["second"]);
        assert_eq!(scene.fetches(), 2);
    })
    .await;
}

#[tokio::test]
async fn one_that_is_refused_for_good_is_not_asked_for_with_each_event() {
    scene(async |scene| {
        for (after_ms, fetches) in [(0, 1), (59_000, 1), (1_000, 2), (30_000, 2), (30_000, 3)] {
            scene.after(after_ms);
            assert_eq!(scene.work("first").await, ["first"]);
            assert_eq!(scene.fetches(), fetches, "{after_ms}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_old_one_is_fetched_again_before_work_and_a_panic_forgets_no_secret() {
    scene(async |scene| {
        assert_eq!(scene.work("").await, ["first"]);
        scene.server.token.set("second");
        scene.after(2 * FIVE_MINUTES_MS);
        assert_eq!(scene.work("").await, ["second"]);
        scene.home.forget();
        assert_eq!(scene.work("").await, ["second"]);
        assert_eq!(scene.fetches(), 2);
    })
    .await;
}

#[tokio::test]
async fn where_secrets_do_not_come_in_time_the_old_ones_count() {
    scene(async |mut scene| {
        assert_eq!(scene.work("").await, ["first"]);
        scene.home.fetches_within = Duration::from_millis(100);
        scene.server.hangs.set(true);
        scene.after(2 * FIVE_MINUTES_MS);
        // It is asked for once a minute, and not for each event.
        for _ in 0..3 {
            assert_eq!(scene.work("").await, ["first"]);
            assert_eq!(scene.fetches(), 2);
        }
        scene.server.hangs.set(false);
        scene.server.token.set("second");
        scene.home.fetches_within = FETCHES_WITHIN;
        scene.after(60_000);
        assert_eq!(scene.work("").await, ["second"]);
    })
    .await;
}
