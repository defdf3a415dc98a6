//! One call of an AWS service: signed by AWS's own crate, sent by our HTTP, tried again where that helps.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{Request, Response, header};
use kedge_adapters::{Failed, Tries};
use kedge_core::model::Timestamp;
use kedge_engine::ports::{Clock as _, Random as _};
use kedge_native::{NativeHttp, SystemClock, SystemRandom};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::service::Service;
use crate::settings::{AwsSettings, AwsSettingsError};

/// Signs with the credentials of this process, and sends.
#[derive(Debug)]
pub(crate) struct Caller {
    settings: AwsSettings,
    http: NativeHttp,
    clock: SystemClock,
    random: SystemRandom,
}

/// A service at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) service: Service,
    pub(crate) region: String,
    /// Its address, without a final slash.
    pub(crate) base: String,
}

impl Place {
    /// A service of a region, in one of AWS's partitions, or where the settings say that it is.
    pub(crate) fn of(
        settings: &AwsSettings,
        service: Service,
        region: &str,
        partition: &str,
    ) -> Result<Self, AwsSettingsError> {
        let base = match settings.endpoint(service) {
            Some(endpoint) => endpoint.to_owned(),
            None => format!(
                "https://{}.{region}.{}",
                service.name(),
                domain(partition).ok_or_else(|| AwsSettingsError(format!(
                    "where AWS's partition `{partition}` is, is not known; set {}",
                    service.endpoint_name()
                )))?
            ),
        };
        Ok(Self {
            service,
            region: region.to_owned(),
            base,
        })
    }

    /// Host and port, for messages.
    pub(crate) fn host(&self) -> &str {
        let host = self.base.split_once("://").map_or("", |(_, host)| host);
        host.split('/').next().unwrap_or_default()
    }
}

/// docs.aws.amazon.com/general/latest/gr/rande.html and the endpoint rules of AWS's clients.
fn domain(partition: &str) -> Option<&'static str> {
    match partition {
        "aws" | "aws-us-gov" => Some("amazonaws.com"),
        "aws-cn" => Some("amazonaws.com.cn"),
        "aws-eusc" => Some("amazonaws.eu"),
        _ => None,
    }
}

impl Caller {
    pub(crate) fn new(settings: &AwsSettings, http: NativeHttp) -> Self {
        Self {
            settings: settings.clone(),
            http,
            clock: SystemClock::default(),
            random: SystemRandom::new(),
        }
    }

    /// Makes one call, again where it may then go well. Every call that is made twice does what one does.
    pub(crate) async fn call<A: DeserializeOwned>(
        &self,
        place: &Place,
        operation: &str,
        body: &impl Serialize,
    ) -> Result<A, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::NotSent(error.to_string()))?;
        let body = Bytes::from(body);
        let mut tries = Tries::default();
        loop {
            let failure = match self.call_once(place, operation, &body).await {
                Ok(answer) => return Ok(answer),
                Err(failure) if failure.may_pass() => failure,
                Err(failure) => return Err(failure),
            };
            let failed = Failed {
                was_heard: !matches!(failure, Failure::Unheard(_)),
                retry_after_ms: failure.retry_after_ms(),
            };
            let random = self.random.next_u64();
            match tries.pause_ms(&failed, self.settings.pause_ms, random) {
                Some(ms) => self.clock.sleep_ms(ms).await,
                None => return Err(failure),
            }
        }
    }

    async fn call_once<A: DeserializeOwned>(
        &self,
        place: &Place,
        operation: &str,
        body: &Bytes,
    ) -> Result<A, Failure> {
        let request = request(&self.settings, place, operation, body, self.clock.now())
            .map_err(|error| Failure::NotSent(format!("it can't be signed: {error}")))?;
        let answer = self.http.exchange_with_platform(&request).await;
        read(&self.settings, answer.map_err(Failure::unanswered)?)
    }
}

fn read<A: DeserializeOwned>(
    settings: &AwsSettings,
    answer: Response<Bytes>,
) -> Result<A, Failure> {
    if !answer.status().is_success() {
        return Err(Failure::answered(&answer, settings));
    }
    // Some calls are answered by nothing at all.
    let text: &[u8] = match answer.body().as_ref() {
        b"" => b"{}",
        body => body,
    };
    // Why it can't be read is not said: the text may be a secret.
    serde_json::from_slice(text).map_err(|_| Failure::Strange)
}

/// A request with its signature.
pub(crate) fn request(
    settings: &AwsSettings,
    place: &Place,
    operation: &str,
    body: &Bytes,
    now: Timestamp,
) -> Result<Request<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    let Place {
        service,
        region,
        base,
    } = place;
    let url = format!("{base}/");
    let target = service.target(operation);
    let content_type = service.content_type();
    let headers = [
        (header::CONTENT_TYPE.as_str(), content_type),
        ("x-amz-target", &target),
    ];
    let mut request = Request::post(&url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(body.clone())?;
    let token = settings.session_token.as_ref();
    let token = token.map(|token| token.reveal().to_owned());
    let secret = settings.secret.reveal();
    let credentials = Credentials::new(&settings.key_id, secret, token, None, "kedge").into();
    let since_1970 = Duration::from_millis(u64::try_from(now.0).unwrap_or_default());
    let params = v4::SigningParams::builder()
        .identity(&credentials)
        .region(region)
        .name(service.name())
        .time(SystemTime::UNIX_EPOCH + since_1970)
        .settings(SigningSettings::default())
        .build()?
        .into();
    let body = SignableBody::Bytes(body);
    let signable = SignableRequest::new("POST", &url, headers.into_iter(), body)?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}
