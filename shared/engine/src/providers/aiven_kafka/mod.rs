//! Kafka topics of an Aiven service.
//!
//! Reading: one list, then bulk reads of what is wanted and listed, a hundred names each, side by side; the
//! stacks of a group fill them together. More is read only when something looks missing or a batch is
//! refused ([`survey`]). Nothing here decides what a topic should be; that is `kedge_core::compare`.

mod encode;
mod error;
mod normalize;
mod requests;
mod scalar;
mod survey;
mod wire;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::Response;
use kedge_core::change::{Applied, Change, ChangeError, Verb};
use kedge_core::live::{FailureCode, ReadFailure, ScopeReading, Wanted};
use kedge_core::providers::Provider;

use self::error::{NotFound, SERVICE_PERMISSION, TOPIC_PERMISSION};
use self::requests::{AivenRequests, RequestError, TOKEN_VARIABLE};
use self::survey::{Answer, Ask, Survey};
use self::wire::{OneService, OneTopic, TopicDetail, TopicSummary, Topics};
use super::unanswered;
use crate::ports::{ProviderName, ReadPorts, ReadRequest, Secrets, WritePorts};
use crate::reads::{Batches, Reads, count};
use crate::retry::{send_read, send_write};
use crate::session::Context;

/// What is known of Aiven.
const AIVEN: &Provider = ProviderName::Aiven.entry();

/// A change is one request.
pub(super) const REQUESTS_OF_CHANGE: u64 = 1;

/// A list, and bulk reads of what is wanted.
pub(super) fn reads(wanted: &Wanted) -> Reads {
    Reads {
        lists: 1,
        batches: Batches {
            names: count(wanted.keys.len()),
            size: count(survey::BULK_NAMES_MAX),
        },
        own: 0,
    }
}

/// Reads a service's topics.
pub(super) async fn read_live<P: ReadPorts>(
    cx: Context<'_, P>,
    project: &str,
    service: &str,
    wanted: &Wanted,
) -> ScopeReading {
    let failed = |failure| ScopeReading::failed(AIVEN.kinds, &failure);
    let requests = match requests(cx, project, service) {
        Ok(requests) => requests,
        Err(error) => return failed(error::unsent(&error)),
    };
    let list = match list(cx.in_common(), &requests).await {
        Ok(list) => list,
        Err(failure) => return failed(failure),
    };
    let (mut survey, mut asks) = Survey::begin(project, service, list, wanted);
    // The first batches are those of the group; what is asked beyond them is this stack's.
    let mut for_batches = cx.in_common();
    while !asks.is_empty() {
        let answers = ask_all(cx, for_batches, &requests, asks).await;
        asks = answers
            .into_iter()
            .flat_map(|answer| survey.take(answer))
            .collect();
        asks.extend(survey.ask_alone());
        for_batches = cx;
    }
    survey.end()
}

/// Makes one change of one topic.
pub(super) async fn carry_out<P: WritePorts>(
    cx: Context<'_, P>,
    project: &str,
    service: &str,
    change: &Change,
) -> Result<Applied, ChangeError> {
    let name = change.key.name();
    if normalize::is_reserved(name) {
        return Err(error::blocked(
            format!("{name} belongs to Kafka itself"),
            None,
        ));
    }
    let requests = requests(cx, project, service)?;
    let request = match change.verb {
        Verb::Create => requests.create(&encode::create_body(name, &change.declared)?)?,
        Verb::Update => requests.update(name, &encode::update_body(change)?)?,
        Verb::Delete => requests.delete(name)?,
        Verb::Replace => {
            let reason = "a topic is never deleted and created again: its messages would be lost";
            return Err(error::blocked(reason.to_owned(), None));
        }
    };
    let method = request.request().method();
    let answered = send_write(cx, &request, |response| {
        error::classify_write(method, response)
    })
    .await;
    error::outcome(change.verb, change.begun_before, answered)?;
    Ok(Applied {
        catching_up_ms: AIVEN.catching_up_ms,
    })
}

fn requests<P: Secrets>(
    cx: Context<'_, P>,
    project: &str,
    service: &str,
) -> Result<AivenRequests, RequestError> {
    let token = cx.ports.secret(TOKEN_VARIABLE);
    AivenRequests::new(
        cx.session.endpoints.base(ProviderName::Aiven),
        token.as_ref(),
        project,
        service,
    )
}

/// Asks everything at once, within the cap; answers come in the order of the questions.
async fn ask_all<P: ReadPorts>(
    cx: Context<'_, P>,
    for_batches: Context<'_, P>,
    requests: &AivenRequests,
    asks: Vec<Ask>,
) -> Vec<Answer> {
    // Collected first: a lazy map would keep the outer future from being Send.
    let questions: Vec<_> = asks
        .into_iter()
        .enumerate()
        .map(|(at, ask)| async move { (at, answer(cx, for_batches, requests, ask).await) })
        .collect();
    let mut answers: Vec<(usize, Answer)> = stream::iter(questions)
        .buffer_unordered(cx.session.concurrency.max(1))
        .collect()
        .await;
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn answer<P: ReadPorts>(
    cx: Context<'_, P>,
    for_batches: Context<'_, P>,
    requests: &AivenRequests,
    ask: Ask,
) -> Answer {
    match ask {
        Ask::Bulk(names) => bulk(for_batches, requests, names).await,
        Ask::Single(name) => single(cx, requests, name).await,
        Ask::Service => Answer::Service(running(cx, requests).await),
    }
}

async fn list<P: ReadPorts>(
    cx: Context<'_, P>,
    requests: &AivenRequests,
) -> Result<Vec<TopicSummary>, ReadFailure> {
    let response = send(cx, requests.list()).await?;
    if response.status() != 200 {
        return Err(error::read_failure(&response, TOPIC_PERMISSION));
    }
    let list: Topics<TopicSummary> =
        wire::read(response.body()).map_err(|error| error::strange("the list of topics", error))?;
    match error::complained(list.errors.as_deref()) {
        Some(failure) => Err(failure),
        None => Ok(list.topics),
    }
}

async fn bulk<P: ReadPorts>(
    cx: Context<'_, P>,
    requests: &AivenRequests,
    names: Vec<String>,
) -> Answer {
    let response = match send(cx, requests.bulk(&names)).await {
        Ok(response) => response,
        Err(failure) => return Answer::Failed(names, failure),
    };
    let failure = || error::read_failure(&response, TOPIC_PERMISSION);
    match response.status().as_u16() {
        200 => {}
        404 => match error::not_found(&response) {
            NotFound::Topic => return Answer::Stale(names, error::describe_answer(&response)),
            NotFound::Path => return Answer::NoBulk(names, failure()),
            NotFound::Scope | NotFound::Starting => return Answer::Failed(names, failure()),
        },
        // One topic in it is not made yet (terraform-provider-aiven#89); the others are read.
        501 if names.len() > 1 && error::is_about_a_topic(&response) => {
            return Answer::Stale(names, error::describe_answer(&response));
        }
        405 | 501 => return Answer::NoBulk(names, failure()),
        _ => return Answer::Failed(names, failure()),
    }
    match wire::read::<Topics<TopicDetail>>(response.body()) {
        Ok(answer) => match error::complained(answer.errors.as_deref()) {
            Some(failure) => Answer::Failed(names, failure),
            None => {
                let topic =
                    |topic: TopicDetail| (topic.topic_name.clone(), normalize::detail(topic));
                Answer::Topics(names, answer.topics.into_iter().map(topic).collect())
            }
        },
        Err(error) => Answer::Failed(names, error::strange("the bulk read", error)),
    }
}

async fn single<P: ReadPorts>(
    cx: Context<'_, P>,
    requests: &AivenRequests,
    name: String,
) -> Answer {
    let response = match send(cx, requests.topic(&name)).await {
        Ok(response) => response,
        Err(failure) => return Answer::Topic(name, Err(failure)),
    };
    if response.status() == 404 && error::not_found(&response) == NotFound::Topic {
        return Answer::Gone(name, error::describe_answer(&response));
    }
    if response.status() != 200 {
        return Answer::Topic(name, Err(error::topic_failure(&response)));
    }
    let topic = match wire::read::<OneTopic>(response.body()) {
        Ok(OneTopic { topic }) if topic.topic_name == name => normalize::detail(topic),
        Ok(_) => Err(ReadFailure {
            reason: "Aiven answered with another topic".to_owned(),
            permission: None,
            code: FailureCode::Inconsistent,
        }),
        Err(error) => Err(error::strange("the answer about the topic", error)),
    };
    Answer::Topic(name, topic)
}

/// Whether the service is running.
async fn running<P: ReadPorts>(
    cx: Context<'_, P>,
    requests: &AivenRequests,
) -> Result<(), ReadFailure> {
    let response = send(cx, requests.service()).await?;
    if response.status() != 200 {
        return Err(error::read_failure(&response, SERVICE_PERMISSION));
    }
    let answer: OneService = wire::read(response.body())
        .map_err(|error| error::strange("the answer about the service", error))?;
    match answer.service.state.as_str() {
        "RUNNING" => Ok(()),
        state => Err(ReadFailure {
            reason: format!("the service is not running: its state is {state}"),
            permission: None,
            code: FailureCode::NotRunning,
        }),
    }
}

async fn send<P: ReadPorts>(
    cx: Context<'_, P>,
    request: Result<ReadRequest, RequestError>,
) -> Result<Response<Bytes>, ReadFailure> {
    let request = request.map_err(|error| error::unsent(&error))?;
    send_read(cx, &request, error::classify_read)
        .await
        .map_err(|error| unanswered::read_failure(AIVEN, &error))
}
