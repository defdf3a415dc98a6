//! Every request that can go to Pub/Sub (v1 discovery). A create is a PUT that answers 409 if the name
//! exists, so a PUT never overwrites.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use kedge_core::model::SecretText;
use serde::Serialize;

use super::wire;
use crate::ports::{ProviderName, ReadRequest, WriteRequest};
use crate::providers::path::{NameError, query_value, segment};

/// The largest page the server allows.
const PAGE_SIZE: u32 = 1000;
/// Without it conditions are hidden, and writing the policy back would lose them.
const POLICY_VERSION: u32 = 3;

/// A request could not be put together: a bad address in the settings. Reads on after "because".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestError(pub(super) String);

impl From<NameError> for RequestError {
    fn from(error: NameError) -> Self {
        Self(error.to_string())
    }
}

/// A request, or why there is none.
pub(super) type Built<R> = Result<R, RequestError>;

/// Makes requests about one project.
#[derive(Debug, Clone, Copy)]
pub(super) struct PubSubRequests<'a> {
    /// The API's address, without a final slash.
    pub(super) base: &'a str,
    /// The project id.
    pub(super) project: &'a str,
    /// What goes into `Authorization`; none for an emulator.
    pub(super) token: Option<&'a SecretText>,
}

impl PubSubRequests<'_> {
    /// topics.list.
    pub(super) fn topics(&self, page: Option<&str>) -> Built<ReadRequest> {
        self.list("topics.list", "topics", page)
    }

    /// subscriptions.list.
    pub(super) fn subscriptions(&self, page: Option<&str>) -> Built<ReadRequest> {
        self.list("subscriptions.list", "subscriptions", page)
    }

    /// topics.get.
    pub(super) fn topic(&self, topic: &str) -> Built<ReadRequest> {
        self.read("topics.get", &self.topic_path(topic)?)
    }

    /// subscriptions.get.
    pub(super) fn subscription(&self, subscription: &str) -> Built<ReadRequest> {
        self.read("subscriptions.get", &self.subscription_path(subscription)?)
    }

    /// topics.getIamPolicy.
    pub(super) fn policy(&self, topic: &str) -> Built<ReadRequest> {
        let path = self.topic_path(topic)?;
        let path = format!("{path}:getIamPolicy?options.requestedPolicyVersion={POLICY_VERSION}");
        self.read("topics.getIamPolicy", &path)
    }

    /// topics.create.
    pub(super) fn create_topic(&self, topic: &str, body: &wire::Topic) -> Built<WriteRequest> {
        let path = self.topic_path(topic)?;
        self.write("topics.create", Method::PUT, &path, Some(body))
    }

    /// topics.patch.
    pub(super) fn patch_topic(&self, topic: &str, body: &wire::TopicPatch) -> Built<WriteRequest> {
        let path = self.topic_path(topic)?;
        self.write("topics.patch", Method::PATCH, &path, Some(body))
    }

    /// topics.delete.
    pub(super) fn delete_topic(&self, topic: &str) -> Built<WriteRequest> {
        let path = self.topic_path(topic)?;
        self.write("topics.delete", Method::DELETE, &path, None::<&()>)
    }

    /// subscriptions.create.
    pub(super) fn create_subscription(
        &self,
        subscription: &str,
        body: &wire::Subscription,
    ) -> Built<WriteRequest> {
        let path = self.subscription_path(subscription)?;
        self.write("subscriptions.create", Method::PUT, &path, Some(body))
    }

    /// subscriptions.patch.
    pub(super) fn patch_subscription(
        &self,
        subscription: &str,
        body: &wire::SubscriptionPatch,
    ) -> Built<WriteRequest> {
        let path = self.subscription_path(subscription)?;
        self.write("subscriptions.patch", Method::PATCH, &path, Some(body))
    }

    /// subscriptions.delete.
    pub(super) fn delete_subscription(&self, subscription: &str) -> Built<WriteRequest> {
        let path = self.subscription_path(subscription)?;
        self.write("subscriptions.delete", Method::DELETE, &path, None::<&()>)
    }

    /// topics.setIamPolicy.
    pub(super) fn set_policy(&self, topic: &str, policy: &wire::IamPolicy) -> Built<WriteRequest> {
        let path = format!("{}:setIamPolicy", self.topic_path(topic)?);
        let body = wire::SetPolicy { policy };
        self.write("topics.setIamPolicy", Method::POST, &path, Some(&body))
    }

    fn list(&self, name: &'static str, what: &str, page: Option<&str>) -> Built<ReadRequest> {
        let project = segment(self.project)?;
        let mut path = format!("/v1/projects/{project}/{what}?pageSize={PAGE_SIZE}");
        if let Some(page) = page {
            path.push_str("&pageToken=");
            path.push_str(&query_value(page));
        }
        self.read(name, &path)
    }

    fn topic_path(&self, topic: &str) -> Built<String> {
        self.path("topics", topic)
    }

    fn subscription_path(&self, subscription: &str) -> Built<String> {
        self.path("subscriptions", subscription)
    }

    fn path(&self, collection: &str, id: &str) -> Built<String> {
        let project = segment(self.project)?;
        Ok(format!(
            "/v1/projects/{project}/{collection}/{}",
            segment(id)?
        ))
    }

    fn read(&self, name: &'static str, path: &str) -> Built<ReadRequest> {
        let request = self.request(Method::GET, path, Bytes::new())?;
        Ok(ReadRequest::new(ProviderName::Pubsub, name, request))
    }

    fn write(
        &self,
        name: &'static str,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Built<WriteRequest> {
        let bytes = match body {
            None => Bytes::new(),
            Some(body) => serde_json::to_vec(body)
                .map_err(|_| RequestError("the body can't be written as JSON".to_owned()))?
                .into(),
        };
        let mut request = self.request(method, path, bytes)?;
        if body.is_some() {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
        }
        Ok(WriteRequest::new(ProviderName::Pubsub, name, request))
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Built<Request<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .body(body)
            .map_err(|_| RequestError("the address of Pub/Sub is not a URL".to_owned()))?;
        if let Some(token) = self.token {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map_err(|_| {
                    RequestError("the token holds characters that no token has".to_owned())
                })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded_and_the_token_is_sensitive() {
        let token = SecretText::new("t0ken");
        let requests = PubSubRequests {
            base: "https://pubsub.googleapis.com",
            project: "example.com:p",
            token: Some(&token),
        };
        let request = requests.policy("a+b%c:d/e").unwrap();
        assert_eq!(
            request.request().uri().to_string(),
            "https://pubsub.googleapis.com/v1/projects/example.com%3Ap/topics/a%2Bb%25c%3Ad%2Fe\
             :getIamPolicy?options.requestedPolicyVersion=3"
        );
        assert!(!format!("{request:?}").contains("t0ken"));
        let page = requests.topics(Some("a=&b")).unwrap();
        assert!(
            page.request()
                .uri()
                .to_string()
                .ends_with("pageToken=a%3D%26b")
        );
    }

    #[test]
    fn a_bad_address_is_an_error_and_an_emulator_gets_no_token() {
        let mut requests = PubSubRequests {
            base: "http://local host",
            project: "p",
            token: None,
        };
        assert!(requests.topics(None).is_err());
        requests.project = "..";
        requests.base = "http://localhost:8085";
        assert!(requests.topics(None).is_err() && requests.topic("t").is_err());
        requests.project = "p";
        assert!(requests.topic("..").is_err() && requests.delete_subscription(".").is_err());
        requests.base = "http://localhost:8085";
        let request = requests.delete_topic("t").unwrap();
        assert!(request.request().headers().is_empty());
        assert_eq!(request.request().method(), Method::DELETE);
    }
}
