//! The store against a server that plays a script: what an answer means, without any S3.

mod attempts;
mod paths;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use kedge_adapters::Operations;
use kedge_adapters::conformance::text;
use kedge_core::model::Timestamp;
use kedge_engine::ports::{Condition, ETag, Listed, PutOutcome, Store, StoreError, Version};
use kedge_native::{HttpOptions, NativeHttp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{S3Options, S3Settings, S3Store};

const SECRET: &str = "hunter2-s3cret";
const DATE: &str = "Sun, 22 Nov 2026 12:00:05 GMT";
const DATE_MS: i64 = 1_795_348_805_000;
const MODIFIED: &str = "Sun, 22 Nov 2026 12:00:00 GMT";
const MODIFIED_MS: i64 = 1_795_348_800_000;

/// What the server does with one request.
#[derive(Clone, Copy)]
enum Act {
    /// Status, a header line or none, body.
    Says(u16, &'static str, &'static str),
    /// An object with this body; its ETag is the body in quotes.
    Holds(&'static str),
    /// A write is done; its ETag is this in quotes.
    Takes(&'static str),
    /// No answer.
    Hangs,
    /// The connection is closed without an answer.
    Drops,
    /// Half of a body.
    Cuts,
}
use Act::{Cuts, Drops, Hangs, Holds, Says, Takes};

const GONE: Act = Says(404, "", "<Error><Code>NoSuchKey</Code></Error>");
const LOST: Act = Says(412, "", "<Error><Code>PreconditionFailed</Code></Error>");
const CONFLICT: Act = Says(
    409,
    "",
    "<Error><Code>ConditionalRequestConflict</Code></Error>",
);
const BROKEN: Act = Says(500, "", "<Error><Code>InternalError</Code></Error>");
const BUSY: Act = Says(429, "", "<Error><Code>ServiceUnavailable</Code></Error>");
const PAGE: &str = "<html><body>Welcome to the hotel</body></html>";

/// A server with a script, and a store that asks it.
struct Stage {
    listener: TcpListener,
    script: RefCell<VecDeque<Act>>,
    heard: RefCell<Vec<String>>,
    store: S3Store,
}

impl Stage {
    async fn new(script: &[Act]) -> Self {
        Self::under("", script).await
    }

    async fn under(path: &str, script: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}{path}", listener.local_addr().unwrap());
        let settings = S3Settings::from_variables(|name| match name {
            "R2_ENDPOINT_URL" => Some(&endpoint),
            "R2_ACCESS_KEY_ID" => Some("key-id"),
            "R2_SECRET_ACCESS_KEY" => Some(SECRET),
            _ => None,
        });
        let http = HttpOptions {
            timeout_ms: 150,
            answer_bytes_max: 1_000,
            ..HttpOptions::default()
        };
        let http = NativeHttp::new(http).unwrap();
        let options = S3Options { pause_ms: 2 };
        let address = "s3://bucket/some/prefix".parse().unwrap();
        Self {
            store: S3Store::new(address, settings.unwrap(), &http, options),
            listener,
            script: RefCell::new(script.iter().copied().collect()),
            heard: RefCell::default(),
        }
    }

    /// Plays the script, one connection per request.
    async fn serve(&self) {
        let mut open = Vec::new();
        loop {
            let (mut socket, _) = self.listener.accept().await.unwrap();
            let request = read_request(&mut socket).await;
            self.heard.borrow_mut().push(request);
            let act = self.script.borrow_mut().pop_front();
            let act = act.expect("a request that is not in the script");
            let answer = match act {
                Says(status, header, body) => answer(status, header, body, body.len()),
                Holds(body) => {
                    let header = format!("etag: \"{body}\"\r\nlast-modified: {MODIFIED}");
                    answer(200, &header, body, body.len())
                }
                Takes(etag) => answer(200, &format!("etag: \"{etag}\""), "", 0),
                Cuts => answer(200, "etag: \"x\"", "half of", 100),
                Drops => continue,
                Hangs => {
                    open.push(socket);
                    continue;
                }
            };
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    async fn play<T>(&self, ask: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            answer = ask => answer,
            () = self.serve() => unreachable!(),
        }
    }

    async fn put(&self, body: &str, condition: Condition) -> Result<PutOutcome, StoreError> {
        self.play(self.store.put("key", text(body), condition))
            .await
    }

    /// The methods of the requests so far.
    fn methods(&self) -> Vec<String> {
        let heard = self.heard.borrow();
        let method = |request: &String| request.split(' ').next().unwrap().to_owned();
        heard.iter().map(method).collect()
    }
}

fn answer(status: u16, header: &str, body: &str, length: usize) -> String {
    let header = match header {
        "" => String::new(),
        some => format!("{some}\r\n"),
    };
    format!(
        "HTTP/1.1 {status} X\r\ndate: {DATE}\r\n{header}content-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut request = String::new();
    let mut piece = [0; 4096];
    loop {
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return request;
            }
        }
        let read = socket.read(&mut piece).await.unwrap();
        request.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
}

fn is(etag: &str) -> Condition {
    Condition::Is(ETag(format!("\"{etag}\"")))
}

fn written(etag: &str, at_ms: i64) -> PutOutcome {
    PutOutcome::Written(Version {
        etag: ETag(format!("\"{etag}\"")),
        written_at: Timestamp(at_ms),
    })
}

#[tokio::test(flavor = "current_thread")]
async fn what_becomes_of_a_write() {
    let done = || Some(written("mine", DATE_MS));
    // A look finds it: its time is then that of the object.
    let seen = || Some(written("mine", MODIFIED_MS));
    let lost = || Some(PutOutcome::Conflict);
    let absent = || Condition::Absent;
    let always = || Condition::None;
    let at_once = Says(429, "retry-after: 0", "");
    for (number, (condition, script, outcome)) in [
        (absent(), &[Takes("mine")][..], done()),
        (is("old"), &[Takes("mine")], done()),
        (always(), &[Takes("mine")], done()),
        (absent(), &[LOST], lost()),
        (is("old"), &[LOST], lost()),
        (is("old"), &[GONE], lost()),
        (absent(), &[GONE], None),
        (is("old"), &[Says(404, "", PAGE)], None),
        (
            is("old"),
            &[Says(404, "", "<Error><Code>NoSuchBucket</Code></Error>")],
            None,
        ),
        // Another write was under way: a look tells which one won.
        (absent(), &[CONFLICT, Holds("theirs")], lost()),
        (is("old"), &[CONFLICT, Holds("old"), Takes("mine")], done()),
        (is("old"), &[CONFLICT, GONE], lost()),
        (always(), &[CONFLICT, Takes("mine")], done()),
        // Refused for now: nothing was written, and it is tried again.
        (absent(), &[BUSY, Takes("mine")], done()),
        (absent(), &[at_once, BUSY, LOST], lost()),
        (absent(), &[BUSY, BUSY, BUSY, BUSY, BUSY], None),
        // The answer says nothing: a look does.
        (absent(), &[BROKEN, Holds("mine")], seen()),
        (absent(), &[BROKEN, Holds("theirs")], lost()),
        (absent(), &[BROKEN, GONE, Takes("mine")], done()),
        (is("old"), &[BROKEN, Holds("mine")], seen()),
        (is("old"), &[BROKEN, Holds("old"), Takes("mine")], done()),
        (is("old"), &[BROKEN, GONE], lost()),
        (always(), &[BROKEN, Holds("theirs"), Takes("mine")], done()),
        (absent(), &[Hangs, Holds("mine")], seen()),
        (absent(), &[Drops, Holds("theirs")], lost()),
        (absent(), &[Cuts, Holds("mine")], seen()),
        (absent(), &[Says(502, "", PAGE), Holds("mine")], seen()),
        (
            absent(),
            &[Says(200, "", PAGE), GONE, LOST, GONE, Takes("mine")],
            done(),
        ),
        // It arrives after the look: the next try meets its own success.
        (
            is("old"),
            &[Hangs, Holds("old"), LOST, Holds("mine")],
            seen(),
        ),
        (
            is("old"),
            &[Hangs, Holds("old"), LOST, Holds("theirs")],
            lost(),
        ),
        // The look is refused: nobody knows.
        (absent(), &[BROKEN, Says(403, "", "")], None),
        (absent(), &[BROKEN, BROKEN, Holds("mine")], seen()),
        // A try whose answer does not come takes long, so there are two.
        (absent(), &[Hangs, GONE, Hangs, GONE], None),
    ]
    .into_iter()
    .enumerate()
    {
        let stage = Stage::new(script).await;
        let result = stage.put("mine", condition).await;
        assert_eq!(result.clone().ok(), outcome, "{number}: {result:?}");
        let left = stage.script.borrow().len();
        assert_eq!(left, 0, "{number}: {:?}", stage.methods());
        if let Err(error) = result {
            assert!(matches!(error, StoreError::Write { .. }), "{error}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_becomes_of_a_read() {
    let object = Some(Some("body"));
    for (number, (script, outcome)) in [
        (&[Holds("body")][..], object),
        (&[GONE], Some(None)),
        // Only S3 itself can say that there is none.
        (&[Says(404, "", "")], None),
        (&[Says(404, "", PAGE)], None),
        (
            &[Says(404, "", "<Error><Code>NoSuchBucket</Code></Error>")],
            None,
        ),
        (
            &[Says(403, "", "<Error><Code>AccessDenied</Code></Error>")],
            None,
        ),
        (&[Says(200, "", PAGE)], None),
        (&[Says(304, "", "")], None),
        (&[Says(307, "location: http://127.0.0.1:9/", "")], None),
        (&[BUSY, BROKEN, Drops, Holds("body")], object),
        (&[Cuts, Holds("body")], object),
        (&[Hangs, Holds("body")], object),
        (&[Hangs, Hangs], None),
        (&[BROKEN; 5], None),
    ]
    .into_iter()
    .enumerate()
    {
        let stage = Stage::new(script).await;
        let result = stage.play(stage.store.get("key")).await;
        let read = result.as_ref().ok().map(|object| object.as_ref());
        let wanted = outcome.map(|body| body.map(text));
        assert_eq!(
            read.map(|object| object.map(|object| object.bytes.clone())),
            wanted,
            "{number}: {result:?}"
        );
        assert_eq!(stage.script.borrow().len(), 0, "{number}");
        if let Some(Some(object)) = read {
            assert_eq!(object.written_at, Timestamp(MODIFIED_MS));
            assert_eq!(object.read_at, Some(Timestamp(DATE_MS)));
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_too_large_is_asked_for_once_and_said_to_be_that() {
    let body: &'static str = Box::leak("x".repeat(1_001).into_boxed_str());
    let stage = Stage::new(&[Holds(body)]).await;
    let read = stage.play(stage.store.get("key")).await;
    assert!(
        matches!(&read, Err(StoreError::TooLarge { key }) if key == "key"),
        "{read:?}"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_wait_that_is_asked_for_is_kept() {
    // One second after the answer's own date; the pauses of these tests are some milliseconds.
    let later = Says(429, "retry-after: Sun, 22 Nov 2026 12:00:06 GMT", "");
    let stage = Stage::new(&[later, Holds("body")]).await;
    let began = tokio::time::Instant::now();
    let read = stage.play(stage.store.get("key")).await;
    assert!(read.is_ok_and(|object| object.is_some()));
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_sent() {
    let stage = Stage::new(&[Takes("a"), Takes("b"), Takes("c"), GONE]).await;
    let play = async {
        let put = |condition| stage.store.put("a/b c", text("x"), condition);
        put(Condition::Absent).await.unwrap();
        put(is("a")).await.unwrap();
        put(Condition::None).await.unwrap();
        stage.store.get("a/b c").await.unwrap();
    };
    stage.play(play).await;
    let heard = stage.heard.borrow();
    let [absent, matching, always, get] = &heard[..] else {
        panic!("{heard:?}");
    };
    for request in [absent, matching, always, get] {
        let (method, path) = request.split_once(' ').unwrap();
        assert_eq!(method == "GET", request == get, "{request}");
        assert!(
            path.starts_with("/bucket/some/prefix/a/b%20c?"),
            "{request}"
        );
        assert!(request.contains("/auto/s3/aws4_request"), "{request}");
        let lower = request.to_lowercase();
        // R2 refuses checksums that it was not asked for, and tokens of a role.
        assert!(
            !lower.contains("x-amz-checksum") && !lower.contains("content-md5"),
            "{request}"
        );
        assert!(!lower.contains("x-amz-security-token"), "{request}");
        assert!(!lower.contains("transfer-encoding"), "{request}");
        assert!(!request.contains(SECRET), "{request}");
    }
    assert!(absent.contains("if-none-match: *\r\n") && absent.ends_with("\r\n\r\nx"));
    assert!(matching.contains("if-match: \"a\"\r\n"), "{matching}");
    assert!(!always.contains("if-"), "{always}");
    let counted = Operations {
        gets: 1,
        puts: 3,
        lists: 0,
    };
    assert_eq!(stage.store.operations(), counted);
}

#[tokio::test(flavor = "current_thread")]
async fn lists_have_pages() {
    macro_rules! listed {
        ($head:literal, $($key:literal),+) => {
            concat!("<ListBucketResult>", $head, $("<Contents><Key>", $key, "</Key><ETag>\"e\"</ETag>\
                <LastModified>2026-11-22T12:00:00.900Z</LastModified></Contents>"),+,
                "</ListBucketResult>")
        };
    }
    const FIRST: &str = listed!(
        "<IsTruncated>true</IsTruncated><NextContinuationToken>t/1=</NextContinuationToken>",
        "some/prefix/l/b",
        "some/prefix/l/a"
    );
    const LAST: &str = listed!(
        "<IsTruncated>false</IsTruncated>",
        "some/prefix/l/c",
        "some/prefix/l/",
        "some/prefix2/l/d"
    );
    const NOWHERE: &str = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    let list = |script: &'static [Act]| async move {
        let stage = Stage::new(script).await;
        let listed = stage.play(stage.store.versions("l/")).await;
        assert_eq!(stage.script.borrow().len(), 0);
        let heard = stage.heard.borrow().join("\n");
        (listed, heard)
    };
    let (listed, heard) = list(&[Says(200, "", FIRST), BROKEN, Says(200, "", LAST)]).await;
    let expected = ["l/a", "l/b", "l/c"].map(|key| Listed {
        key: key.to_owned(),
        etag: ETag("\"e\"".to_owned()),
        written_at: Timestamp(MODIFIED_MS),
    });
    assert_eq!(listed.unwrap(), expected);
    assert!(heard.contains("prefix=some%2Fprefix%2Fl%2F"), "{heard}");
    assert!(heard.contains("continuation-token=t%2F1%3D"), "{heard}");
    for script in [
        &[Says(200, "", FIRST), Says(200, "", FIRST)][..],
        &[Says(200, "", NOWHERE)],
        &[Says(200, "", PAGE)],
        &[Says(200, "", "<ListBucketResult></ListBucketResult>")],
        &[Says(200, "", "")],
        &[Says(200, "", FIRST), Says(403, "", "")],
    ] {
        let (listed, heard) = list(script).await;
        assert!(listed.is_err(), "{listed:?} {heard}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn errors_say_what_to_do() {
    let error = |code: &'static str| {
        let body = format!(
            "<Error><Code>{code}</Code><Message>{SECRET}</Message><AWSAccessKeyId>key-id</AWSAccessKeyId></Error>"
        );
        &*body.leak()
    };
    for (act, parts) in [
        (
            Says(403, "", error("AccessDenied")),
            &[
                "403 AccessDenied",
                "R2_ACCESS_KEY_ID",
                "Object Read & Write",
                "`bucket`",
            ][..],
        ),
        (Says(403, "", ""), &["403", "Object Read & Write"]),
        (
            Says(403, "", error("SignatureDoesNotMatch")),
            &["R2_SECRET_ACCESS_KEY", "not accepted"],
        ),
        (
            Says(401, "", error("Unauthorized")),
            &["401", "not accepted"],
        ),
        (Says(403, "", error("RequestTimeTooSkewed")), &["clock"]),
        (
            Says(404, "", error("NoSuchBucket")),
            &["there is no bucket `bucket`"],
        ),
        (Says(301, "", error("PermanentRedirect")), &["AWS_REGION"]),
        (
            Says(400, "", error("Odd\u{202e}Code")),
            &["answered 400 OddCode"],
        ),
        (Says(405, "", PAGE), &["R2_ENDPOINT_URL"]),
    ] {
        let stage = Stage::new(&[act]).await;
        let text = stage
            .put("mine", Condition::Absent)
            .await
            .unwrap_err()
            .to_string();
        for part in [
            "could not write key",
            "s3://bucket/some/prefix",
            "127.0.0.1:",
        ]
        .iter()
        .chain(parts)
        {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
        assert!(!text.contains(SECRET) && !text.contains("key-id"), "{text}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn nobody_there_is_not_written() {
    let stage = Stage::new(&[]).await;
    let Stage {
        listener, store, ..
    } = stage;
    drop(listener);
    let error = store.put("key", text("x"), Condition::Absent).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("could not connect") && error.contains("R2_ENDPOINT_URL"),
        "{error}"
    );
    assert!(store.get("key").await.is_err());
    assert!(store.get("../key").await.is_err());
    tokio::time::sleep(Duration::from_millis(1)).await;
}
