//! Every request that can go to Aiven. Nothing else builds one, and none is sent here.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use kedge_core::model::SecretText;
use thiserror::Error;

use super::wire::{BulkRead, TopicWrite};
use crate::ports::{ProviderName, ReadRequest, WriteRequest};
use crate::providers::path::{NameError, segment};

/// Where the token is, by the name Aiven's own clients use (go-client-codegen: client.go).
pub(super) const TOKEN_VARIABLE: &str = super::AIVEN.credential.variable;

/// A request that can't be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum RequestError {
    /// There is no token, or none that a header can carry.
    #[error("{0}")]
    Token(String),
    /// A name that does not fit into a path, or a base that is not an address.
    #[error("{0}")]
    Address(String),
}

/// The requests about one service.
#[derive(Debug, Clone)]
pub(super) struct AivenRequests {
    /// Without a final slash.
    endpoint: String,
    /// `project/{project}/service/{service}`, encoded.
    service: String,
    authorization: HeaderValue,
}

impl From<NameError> for RequestError {
    fn from(error: NameError) -> Self {
        Self::Address(error.to_string())
    }
}

impl AivenRequests {
    /// Takes the token and the names; asks nothing yet.
    pub(super) fn new(
        endpoint: &str,
        token: Option<&SecretText>,
        project: &str,
        service: &str,
    ) -> Result<Self, RequestError> {
        let token = token.map(|token| token.reveal().trim()).unwrap_or_default();
        if token.is_empty() {
            return Err(RequestError::Token(format!("{TOKEN_VARIABLE} is not set")));
        }
        // The scheme of all official clients (go-client-codegen: client.go).
        let mut authorization =
            HeaderValue::from_str(&format!("aivenv1 {token}")).map_err(|_| {
                RequestError::Token(format!(
                    "{TOKEN_VARIABLE} holds characters that no token has"
                ))
            })?;
        authorization.set_sensitive(true);
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            service: format!(
                "project/{}/service/{}",
                segment(project)?,
                segment(service)?
            ),
            authorization,
        })
    }

    /// The names and summaries of all topics.
    pub(super) fn list(&self) -> Result<ReadRequest, RequestError> {
        self.read("topics.list", Method::GET, &self.topics("v1"), Bytes::new())
    }

    /// The details of some topics: a read, though it is a POST.
    pub(super) fn bulk(&self, names: &[String]) -> Result<ReadRequest, RequestError> {
        let body = to_json(&BulkRead { topic_names: names })?;
        self.read("topics.bulk", Method::POST, &self.topics("v2"), body)
    }

    /// The details of one topic.
    pub(super) fn topic(&self, name: &str) -> Result<ReadRequest, RequestError> {
        let path = self.one_topic(name)?;
        self.read("topics.get", Method::GET, &path, Bytes::new())
    }

    /// The service itself. Its answer carries credentials.
    pub(super) fn service(&self) -> Result<ReadRequest, RequestError> {
        let path = format!("v1/{}", self.service);
        self.read("service.get", Method::GET, &path, Bytes::new())
    }

    /// Makes a topic.
    pub(super) fn create(&self, topic: &TopicWrite) -> Result<WriteRequest, RequestError> {
        let path = self.topics("v1");
        self.write("topics.create", Method::POST, &path, to_json(topic)?)
    }

    /// Changes what `topic` names, nothing else.
    pub(super) fn update(
        &self,
        name: &str,
        topic: &TopicWrite,
    ) -> Result<WriteRequest, RequestError> {
        let path = self.one_topic(name)?;
        self.write("topics.update", Method::PUT, &path, to_json(topic)?)
    }

    /// Deletes a topic.
    pub(super) fn delete(&self, name: &str) -> Result<WriteRequest, RequestError> {
        let path = self.one_topic(name)?;
        self.write("topics.delete", Method::DELETE, &path, Bytes::new())
    }

    fn topics(&self, version: &str) -> String {
        format!("{version}/{}/topic", self.service)
    }

    fn one_topic(&self, name: &str) -> Result<String, RequestError> {
        Ok(format!("{}/{}", self.topics("v1"), segment(name)?))
    }

    fn read(
        &self,
        name: &'static str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<ReadRequest, RequestError> {
        let request = self.request(method, path, body)?;
        Ok(ReadRequest::new(ProviderName::Aiven, name, request))
    }

    fn write(
        &self,
        name: &'static str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<WriteRequest, RequestError> {
        let request = self.request(method, path, body)?;
        Ok(WriteRequest::new(ProviderName::Aiven, name, request))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Bytes>, RequestError> {
        let mut builder = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.endpoint))
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, self.authorization.clone());
        if !body.is_empty() {
            builder = builder.header(CONTENT_TYPE, "application/json");
        }
        builder
            .body(body)
            .map_err(|_| RequestError::Address(format!("{} is not a URL", self.endpoint)))
    }
}

fn to_json(body: &impl serde::Serialize) -> Result<Bytes, RequestError> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|error| RequestError::Address(format!("the request can't be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::is_known_read;

    fn requests() -> AivenRequests {
        let token = SecretText::new("t0ken\n");
        AivenRequests::new("https://api.aiven.io/", Some(&token), "my proj", "kafka/1").unwrap()
    }

    #[test]
    fn paths_are_encoded_and_reads_are_known_reads() {
        let requests = requests();
        let base = "project/my%20proj/service/kafka%2F1";
        let reads = [
            (requests.list(), format!("/v1/{base}/topic")),
            (
                requests.bulk(&["a".to_owned()]),
                format!("/v2/{base}/topic"),
            ),
            (requests.topic("a b"), format!("/v1/{base}/topic/a%20b")),
            (requests.service(), format!("/v1/{base}")),
        ];
        for (request, path) in reads {
            let request = request.unwrap();
            let inner = request.request();
            assert_eq!(inner.uri().path(), path);
            assert!(is_known_read(request.provider(), inner.method(), &path));
        }
        let write = TopicWrite::default();
        for request in [
            requests.create(&write),
            requests.update("a", &write),
            requests.delete("a"),
        ] {
            let request = request.unwrap();
            let inner = request.request();
            assert!(!is_known_read(
                request.provider(),
                inner.method(),
                inner.uri().path()
            ));
        }
    }

    #[test]
    fn the_token_is_sent_and_never_shown() {
        let request = requests().list().unwrap();
        let header = request.request().headers().get(AUTHORIZATION).unwrap();
        assert_eq!(header, "aivenv1 t0ken");
        assert!(header.is_sensitive());
        assert!(!format!("{request:?} {:?}", requests()).contains("t0ken"));
    }

    #[test]
    fn what_cannot_be_sent_is_an_error() {
        let token = SecretText::new("t");
        let new = |endpoint: &str, token: Option<&str>, project: &str| {
            let token = token.map(SecretText::new);
            AivenRequests::new(endpoint, token.as_ref(), project, "s").map(|_| ())
        };
        for missing in [None, Some(""), Some(" \n"), Some("a\nb")] {
            assert!(matches!(
                new("http://h", missing, "p"),
                Err(RequestError::Token(_))
            ));
        }
        for name in ["", ".", ".."] {
            assert!(matches!(
                new("http://h", Some("t"), name),
                Err(RequestError::Address(_))
            ));
        }
        let broken = AivenRequests::new("no address", Some(&token), "p", "s").unwrap();
        assert!(matches!(broken.list(), Err(RequestError::Address(_))));
    }
}
