//! Counting requests, for the last line of every summary (semantics 9.7).

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};
use kedge_engine::ports::{
    HttpError, HttpRead, HttpWrite, ProviderName, ReadRequest, WriteRequest,
};

/// What went to and came from one provider. Attempts count, not calls; bodies count, not headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Requests that read.
    pub reads: u64,
    /// Requests that write.
    pub writes: u64,
    /// Bytes of request bodies.
    pub bytes_out: u64,
    /// Bytes of answer bodies.
    pub bytes_in: u64,
}

/// An HTTP port that counts what goes through it. A request that the port refused is not counted:
/// it never was sent.
#[derive(Debug)]
pub struct Metered<H> {
    inner: H,
    traffic: RefCell<BTreeMap<ProviderName, Traffic>>,
}

#[derive(Debug, Clone, Copy)]
enum Sort {
    Read,
    Write,
}

impl<H> Metered<H> {
    /// Counts from zero.
    #[must_use]
    pub fn new(inner: H) -> Self {
        Self {
            inner,
            traffic: RefCell::default(),
        }
    }

    /// What was counted so far, for every provider.
    #[must_use]
    pub fn stats(&self) -> BTreeMap<ProviderName, Traffic> {
        let counted = self.traffic.borrow();
        let of = |provider| counted.get(&provider).copied().unwrap_or_default();
        let all = ProviderName::ALL.into_iter();
        all.map(|provider| (provider, of(provider))).collect()
    }

    fn count(
        &self,
        provider: ProviderName,
        sort: Sort,
        request: &Request<Bytes>,
        answer: &Result<Response<Bytes>, HttpError>,
    ) {
        if matches!(answer, Err(HttpError::Refused(_))) {
            return;
        }
        let mut all = self.traffic.borrow_mut();
        let traffic = all.entry(provider).or_default();
        match sort {
            Sort::Read => traffic.reads += 1,
            Sort::Write => traffic.writes += 1,
        }
        traffic.bytes_out += request.body().len() as u64;
        if let Ok(response) = answer {
            traffic.bytes_in += response.body().len() as u64;
        }
    }
}

impl<H: HttpRead> HttpRead for Metered<H> {
    async fn send_read(&self, request: &ReadRequest) -> Result<Response<Bytes>, HttpError> {
        let answer = self.inner.send_read(request).await;
        self.count(request.provider(), Sort::Read, request.request(), &answer);
        answer
    }
}

impl<H: HttpWrite> HttpWrite for Metered<H> {
    async fn send_write(&self, request: &WriteRequest) -> Result<Response<Bytes>, HttpError> {
        let answer = self.inner.send_write(request).await;
        self.count(request.provider(), Sort::Write, request.request(), &answer);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_and_bytes_by_provider() {
        let metered = Metered::new(());
        let request = Request::new(Bytes::from_static(b"ask"));
        let answered = Ok(Response::new(Bytes::from_static(b"answer")));
        let lost = Err(HttpError::Timeout(1));
        let refused = Err(HttpError::Refused(String::new()));
        let cloudflare = ProviderName::Cloudflare;
        metered.count(cloudflare, Sort::Read, &request, &answered);
        metered.count(cloudflare, Sort::Read, &request, &lost);
        metered.count(cloudflare, Sort::Write, &request, &answered);
        metered.count(cloudflare, Sort::Write, &request, &refused);
        let stats = metered.stats();
        let counted = Traffic {
            reads: 2,
            writes: 1,
            bytes_out: 9,
            bytes_in: 12,
        };
        assert_eq!(stats[&cloudflare], counted);
        assert_eq!(stats[&ProviderName::Aiven], Traffic::default());
    }
}
