//! AWS's client, sending by our HTTP.

use std::sync::{Arc, OnceLock};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, ConfigBag, Credentials, IdentityCache, Intercept, Region,
    RequestChecksumCalculation, ResponseChecksumValidation, RuntimeComponents,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{BoxError, ConnectorError};
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat, SdkBody};
use aws_sdk_s3::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use bytes::Bytes;
use kedge_core::model::Timestamp;
use kedge_engine::ports::HttpError;
use kedge_native::NativeHttp;

use crate::settings::S3Settings;

/// A client that sends each request once, by `http`.
///
/// Checksums only where S3 requires them: R2 refuses what the client adds by itself. Path style,
/// since a local server has no names for its buckets. Retries and time limits are ours.
pub(crate) fn client(settings: &S3Settings, http: NativeHttp) -> Client {
    let secret = settings.secret.reveal();
    let credentials = Credentials::new(&settings.key_id, secret, None, None, "kedge");
    let connector = SharedHttpConnector::new(Sender(http));
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(&settings.endpoint)
        .force_path_style(true)
        .region(Region::new(settings.region.clone()))
        .credentials_provider(credentials)
        .identity_cache(IdentityCache::no_cache())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .disable_s3_express_session_auth(true)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    Client::from_conf(config)
}

/// Hands requests of AWS's client to our HTTP.
#[derive(Debug)]
struct Sender(NativeHttp);

impl HttpConnector for Sender {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move { send(&http, request).await })
    }
}

async fn send(http: &NativeHttp, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let unusable = |error: BoxError| ConnectorError::user(error);
    let request = request
        .try_into_http1x()
        .map_err(|error| unusable(error.into()))?;
    let (parts, body) = request.into_parts();
    let Some(body) = body.bytes().map(Bytes::copy_from_slice) else {
        return Err(unusable("the body is a stream".into()));
    };
    let answer = http
        .exchange(&::http::Request::from_parts(parts, body))
        .await
        .map_err(not_answered)?;
    HttpResponse::try_from(answer.map(SdkBody::from)).map_err(|error| unusable(error.into()))
}

fn not_answered(error: HttpError) -> ConnectorError {
    match error {
        HttpError::Timeout(_) => ConnectorError::timeout(error.into()),
        _ => ConnectorError::io(error.into()),
    }
}

/// Takes down the time that an answer bears, which the client itself drops.
#[derive(Debug, Clone, Default)]
pub(crate) struct AnswerDate(Arc<OnceLock<Timestamp>>);

impl AnswerDate {
    /// The store's time at the answer; none if it did not say.
    pub(crate) fn get(&self) -> Option<Timestamp> {
        self.0.get().copied()
    }
}

impl Intercept for AnswerDate {
    fn name(&self) -> &'static str {
        "AnswerDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok());
        if let Some(at) = date.as_ref().and_then(timestamp) {
            // Set once: each request is sent once.
            let _ = self.0.set(at);
        }
        Ok(())
    }
}

/// A time of AWS's client as the core's.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    time.to_millis().ok().map(Timestamp)
}
