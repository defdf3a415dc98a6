//! A bucket with the few requests of S3 that a store sends, from memory.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::UNIX_EPOCH;

use kedge_core::model::Timestamp;

use super::desk::Desk;

/// The bucket's name.
const NAME: &str = "kedge";
/// Its secret, which must appear in no output.
pub(crate) const SECRET: &str = "bucket-s3cret-key";

/// One object: its bytes, and the number of the write that made it.
type Objects = BTreeMap<String, (Vec<u8>, u64)>;

/// A bucket, which others use too.
#[derive(Clone, Default)]
pub(crate) struct Bucket(Arc<Mutex<(Objects, u64)>>);

impl Bucket {
    /// Serves a bucket on a free port until the test ends, and makes it the store of a desk.
    #[expect(
        clippy::disallowed_methods,
        reason = "the bucket answers while kedge runs"
    )]
    pub(crate) fn of(desk: &mut Desk) -> Self {
        let bucket = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        for (name, value) in [
            ("KEDGE_BUCKET", NAME),
            ("R2_ACCESS_KEY_ID", "kedge-test"),
            ("R2_SECRET_ACCESS_KEY", SECRET),
            ("R2_ENDPOINT_URL", &endpoint),
        ] {
            desk.variables.insert(name.to_owned(), value.to_owned());
        }
        let served = bucket.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                served.answer(&mut stream.unwrap());
            }
        });
        bucket
    }

    /// Writes an object as a program that is not Kedge would.
    pub(crate) fn put(&self, key: &str, text: &str) {
        let (objects, writes) = &mut *self.0.lock().unwrap();
        *writes += 1;
        objects.insert(key.to_owned(), (text.into(), *writes));
    }

    /// Deletes an object.
    pub(crate) fn delete(&self, key: &str) {
        self.0.lock().unwrap().0.remove(key).unwrap();
    }

    /// The text of an object.
    pub(crate) fn text(&self, key: &str) -> String {
        String::from_utf8(self.0.lock().unwrap().0[key].0.clone()).unwrap()
    }

    fn answer(&self, stream: &mut TcpStream) {
        let (head, body) = read(stream);
        let line = head.lines().next().unwrap();
        let (method, target) = line.split_once(' ').unwrap();
        let (target, _) = target.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let key = path.trim_start_matches('/').strip_prefix(NAME).unwrap();
        let key = key.trim_start_matches('/').to_owned();
        let (objects, writes) = &mut *self.0.lock().unwrap();
        let (status, header, body) = match method {
            "GET" if key.is_empty() => (200, String::new(), list(objects, query)),
            "GET" => match objects.get(&key) {
                Some((bytes, write)) => (200, etag(*write), bytes.clone()),
                None => (
                    404,
                    String::new(),
                    b"<Error><Code>NoSuchKey</Code></Error>".into(),
                ),
            },
            _ => {
                let now = objects.get(&key).map(|(_, write)| format!("\"{write}\""));
                let is = value(&head, "if-match").is_none_or(|wanted| Some(wanted) == now);
                let none = value(&head, "if-none-match").is_none_or(|_| now.is_none());
                match is && none {
                    true => {
                        *writes += 1;
                        objects.insert(key, (body, *writes));
                        (200, etag(*writes), Vec::new())
                    }
                    false => {
                        let code = "<Error><Code>PreconditionFailed</Code></Error>";
                        (412, String::new(), code.into())
                    }
                }
            }
        };
        let date = http_date();
        let head = format!(
            "HTTP/1.1 {status} X\r\ndate: {date}\r\n{header}content-length: {}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    }
}

fn etag(write: u64) -> String {
    format!("etag: \"{write}\"\r\nlast-modified: {}\r\n", http_date())
}

/// A request's head and body.
fn read(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).unwrap();
        bytes.extend_from_slice(&piece[..read]);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = value(&head, "content-length").map_or(0, |text| text.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return (head, bytes[end + 4..].to_vec());
            }
        }
        assert!(read > 0, "a request was cut");
    }
}

fn value(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (own, value) = line.split_once(": ")?;
        own.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

fn list(objects: &Objects, query: &str) -> Vec<u8> {
    let prefix = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("prefix="));
    let prefix = prefix.unwrap_or_default().replace("%2F", "/");
    let keys = objects.keys().filter(|key| key.starts_with(&prefix));
    let rows: String = keys
        .map(|key| {
            format!(
                "<Contents><Key>{key}</Key><ETag>\"e\"</ETag>\
                 <LastModified>2026-11-22T12:00:00.000Z</LastModified></Contents>"
            )
        })
        .collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>").into()
}

/// The time now, as HTTP writes it.
fn http_date() -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = UNIX_EPOCH.elapsed().unwrap().as_secs();
    let text = Timestamp(i64::try_from(seconds).unwrap() * 1000).to_string();
    // `2026-11-30T18:00:13.000Z`
    let (date, time) = text.split_once('T').unwrap();
    let (year, rest) = date.split_once('-').unwrap();
    let (month, day) = rest.split_once('-').unwrap();
    let weekday = DAYS[usize::try_from(seconds / 86_400 % 7).unwrap()];
    let month = MONTHS[month.parse::<usize>().unwrap() - 1];
    format!("{weekday}, {day} {month} {year} {} GMT", &time[..8])
}
