//! Lists of several pages, which the sandbox gives only to whom asks for small ones.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Poll, Waker};

use bytes::Bytes;
use kedge_core::live::Reading;
use kedge_core::model::{ResourceKey, Salt, Timestamp};

use crate::budget::Budget;
use crate::endpoints::Endpoints;
use crate::ports::{Clock, HttpError, HttpRead, Random, ReadRequest, SignError, Signer};
use crate::session::Session;

use super::*;

/// A server that gives pages of its own size, with these ids on them.
struct Paged {
    per_page: usize,
    total: usize,
    pages: Vec<Vec<usize>>,
    asked: Cell<usize>,
}

impl HttpRead for Paged {
    async fn send_read(&self, request: &ReadRequest) -> Result<::http::Response<Bytes>, HttpError> {
        self.asked.set(self.asked.get() + 1);
        let query = request.request().uri().query().unwrap();
        let page: usize = query.split_once("&page=").unwrap().1.parse().unwrap();
        let records: Vec<String> = self.pages[page - 1]
            .iter()
            .map(|id| {
                format!(
                    r#"{{"id":"{id}","type":"A","name":"n{id}.example","content":"192.0.2.1"}}"#
                )
            })
            .collect();
        let body = format!(
            r#"{{"success":true,"result":[{}],"result_info":{{"total_count":{},"per_page":{}}}}}"#,
            records.join(","),
            self.total,
            self.per_page
        );
        Ok(::http::Response::new(body.into()))
    }
}

impl Clock for Paged {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn monotonic_ms(&self) -> i64 {
        0
    }

    async fn sleep_ms(&self, _ms: u64) {}
}

impl Random for Paged {
    fn next_u64(&self) -> u64 {
        0
    }
}

impl Signer for Paged {
    async fn sign_rs256(&self, _key: &SecretText, _text: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError("nothing to sign".to_owned()))
    }
}

impl Secrets for Paged {
    fn secret(&self, _name: &str) -> Option<SecretText> {
        Some(SecretText::new("t0ken"))
    }
}

fn key(id: usize) -> ResourceKey {
    ResourceKey::dns_record_set("z", &format!("n{id}.example"), "A")
}

/// Reads all records of such a server; tells how many pages were asked for.
fn read(per_page: usize, total: usize, pages: &[&[usize]]) -> (ScopeReading, usize) {
    let ports = Paged {
        per_page,
        total,
        pages: pages.iter().map(|page| page.to_vec()).collect(),
        asked: Cell::new(0),
    };
    let budget = Budget::ending_at(600_000);
    let session = Session::new(Endpoints::default(), &budget, Salt([0; 16]));
    let cx = Context::new(&ports, &session);
    let wanted = Wanted {
        every_dns_name: true,
        ..Wanted::default()
    };
    let mut reading = pin!(read_live(cx, "z", &wanted));
    let mut context = std::task::Context::from_waker(Waker::noop());
    loop {
        // Nothing here ever waits.
        if let Poll::Ready(reading) = reading.as_mut().poll(&mut context) {
            return (reading, ports.asked.get());
        }
    }
}

#[test]
fn more_pages_are_asked_for_only_when_there_are_more() {
    for (per_page, total, pages) in [
        (5000, 0, &[&[][..]][..]),
        (5000, 3, &[&[1, 2, 3][..]]),
        (3, 3, &[&[1, 2, 3][..]]),
        (2, 5, &[&[1, 2], &[3, 4], &[5]]),
        (2, 4, &[&[1, 2], &[3, 4]]),
    ] {
        let (reading, asked) = read(per_page, total, pages);
        assert!(reading.failures().is_empty(), "{reading:?}");
        assert_eq!(reading.present().count(), total);
        assert_eq!(asked, pages.len());
    }
}

#[test]
fn a_list_that_is_not_whole_proves_nothing() {
    for (per_page, total, pages) in [
        // Fewer than said, more than said, none at all.
        (5000, 4, &[&[1, 2, 3][..]][..]),
        (5000, 2, &[&[1, 2, 3][..]]),
        (5000, 7, &[&[][..]]),
        // A record that moved from the second page to the first, and so shows up twice.
        (2, 4, &[&[1, 2], &[2, 3]]),
        (2, 4, &[&[1, 2], &[3]]),
        (2, 5, &[&[1, 2], &[3, 4], &[5, 6]]),
        // More pages than any zone has.
        (1, 1_000_000, &[&[1][..]]),
    ] {
        let (reading, _) = read(per_page, total, pages);
        for id in [1, 9] {
            let Reading::Unknown(failure) = reading.reading(&key(id)) else {
                panic!("{reading:?}");
            };
            assert_eq!(failure.code, FailureCode::Inconsistent, "{failure:?}");
        }
    }
}
