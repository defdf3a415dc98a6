//! Works on a run request: what somebody asked for over HTTP, who reads the answer later.
//!
//! The request is an object, so that it outlives the message. An answer is written once. A message that
//! comes again after a crash finds the grant used: then the run that broke off is finished as the policy
//! alone allows, and the answer says that it broke off (semantics 6.3).

use kedge_core::documents::{self, Document, Failed, Surroundings};
use kedge_core::hint::Hint;
use kedge_core::model::StackName;
use kedge_core::report::Report;
use kedge_core::stored::run_request::{Answer, AnswerOutcome, RequestedRun, RunRequest};
use kedge_engine::ports::{Store, WritePorts};
use kedge_engine::{
    Applied, By, CheckRequest, Engine, LeaseHolder, Ran, RunError, RunReadError, error_causes,
};

use crate::hints;
use crate::queue::Queue;
use crate::requests::{self, RequestError};
use crate::service::{Requester, Service};
use crate::worker::WorkError;

/// What became of a run request.
enum Ended {
    /// It has an answer.
    Answered(AnswerOutcome, String),
    /// Another run has the stack: it comes again.
    Busy(Box<LeaseHolder>),
}

impl<P: WritePorts, S: Store, Q: Queue> Service<'_, P, S, Q> {
    /// Works on a run request and writes its answer. Gives back who has the stack, if it is busy.
    pub(crate) async fn answer(
        &self,
        stack: &StackName,
        id: &str,
    ) -> Result<Option<Box<LeaseHolder>>, WorkError> {
        let Some(request) = requests::read(self.store, stack, id).await? else {
            return Ok(None);
        };
        // What was wanted an hour ago may not be wanted any more.
        let has_expired = request.has_expired(self.ports.now());
        if has_expired || requests::is_answered(self.store, id).await? {
            return Ok(None);
        }
        let budget = self.settings.limits.budget(self.ports)?;
        let requester = Requester {
            actor: &request.actor,
            trigger: "http",
            run: Some(id),
        };
        let engine = self.engine(&budget, requester);
        let ended = match &request.asked {
            RequestedRun::Check => self.answer_check(&engine, &request).await?,
            RequestedRun::Preview => preview(&engine, &request).await?,
            RequestedRun::Up { .. } => self.answer_up(&engine, &request).await?,
        };
        let (outcome, document) = match ended {
            Ended::Busy(holder) => return Ok(Some(holder)),
            Ended::Answered(outcome, document) => (outcome, document),
        };
        let answer = Answer {
            at: self.ports.now(),
            outcome,
            document,
        };
        requests::answer(self.store, id, &answer).await?;
        Ok(None)
    }

    async fn answer_check(
        &self,
        engine: &Engine<'_, P, S>,
        request: &RunRequest,
    ) -> Result<Ended, WorkError> {
        let stack = &request.stack;
        match engine.check(stack, &CheckRequest::default()).await {
            Ok(checked) => {
                if checked.has_work {
                    let because = format!("check {}", request.id);
                    self.send_apply(stack, because).await?;
                }
                let document = documents::check(&checked.report, &Surroundings::default());
                done(&document)
            }
            Err(error) => failed(stack, error),
        }
    }

    async fn answer_up(
        &self,
        engine: &Engine<'_, P, S>,
        request: &RunRequest,
    ) -> Result<Ended, WorkError> {
        let stack = &request.stack;
        match engine.apply(stack, &By::Grant(request.id.clone())).await {
            Applied::Done(ran) | Applied::OutOfTime(ran) | Applied::OutOfRequests(ran) => {
                self.follow_up(stack, &ran).await?;
                let Ran {
                    report, changed, ..
                } = *ran;
                done(&documents::changed(
                    &report,
                    &changed,
                    &Surroundings::default(),
                ))
            }
            Applied::Busy { holder, .. } => Ok(Ended::Busy(holder)),
            Applied::Failed(error) if error.says_used_by(&request.id) => {
                after_use(engine, request).await
            }
            Applied::Failed(error) => failed(stack, error),
        }
    }
}

async fn preview<P: WritePorts, S: Store>(
    engine: &Engine<'_, P, S>,
    request: &RunRequest,
) -> Result<Ended, WorkError> {
    let options = CheckRequest::default();
    match engine.plan(&request.stack, &options).await {
        Ok(checked) => {
            let report = &checked.report;
            done(&documents::preview(report, &Surroundings::default(), None))
        }
        Err(error) => failed(&request.stack, error),
    }
}

/// The grant is used and there is no answer: its run ended before it was answered, or broke off. What one
/// that broke off began is found out, and finished as far as the policy alone allows.
async fn after_use<P: WritePorts, S: Store>(
    engine: &Engine<'_, P, S>,
    request: &RunRequest,
) -> Result<Ended, WorkError> {
    let (stack, id) = (&request.stack, request.id.as_str());
    // One that can't be read says nothing.
    let record = match engine.run(stack, id).await {
        Ok(record) => record,
        Err(RunReadError::Store(error)) => return Err(error.into()),
        Err(_) => None,
    };
    if let Some(record) = record.filter(|record| record.stopped.is_none()) {
        return done(&documents::history(
            stack,
            Vec::new(),
            &[record],
            &[],
            false,
        ));
    }
    let mut engine = *engine;
    engine.settings.run = None;
    match engine.apply(stack, &By::Policy).await {
        Applied::Done(ran) | Applied::OutOfTime(ran) | Applied::OutOfRequests(ran) => {
            let text = "the run broke off, and its consent is used; what it did is recorded";
            let next = hints::describe(stack, &Hint::Preview);
            let why = Why {
                text,
                because: &[],
                next: Some(&next),
            };
            refused(AnswerOutcome::Failed, why, Some(&ran.report))
        }
        Applied::Busy { holder, .. } => Ok(Ended::Busy(holder)),
        Applied::Failed(error) => failed(stack, error),
    }
}

fn done(document: &impl Document) -> Result<Ended, WorkError> {
    let text = documents::json_text(document).map_err(RequestError::from)?;
    Ok(Ended::Answered(AnswerOutcome::Done, text))
}

/// A run that failed: it is tried again where that may help, else it is the answer.
fn failed(stack: &StackName, error: RunError) -> Result<Ended, WorkError> {
    if error.may_pass() {
        return Err(WorkError::Run {
            stack: stack.clone(),
            source: Box::new(error),
        });
    }
    if let RunError::Definitions(problems) = &error {
        let text =
            documents::json_text(&documents::problems(problems)).map_err(RequestError::from)?;
        return Ok(Ended::Answered(AnswerOutcome::Refused, text));
    }
    let (outcome, report) = match &error {
        RunError::Stopped { stopped, .. } if stopped.has_begun() => {
            (AnswerOutcome::Failed, Some(&stopped.report))
        }
        RunError::Stopped { stopped, .. } => (AnswerOutcome::Refused, Some(&stopped.report)),
        _ => (AnswerOutcome::Refused, None),
    };
    let next = error.hint().map(|hint| hints::describe(stack, &hint));
    let why = Why {
        text: &error.to_string(),
        because: &error_causes(&error),
        next: next.as_deref(),
    };
    refused(outcome, why, report)
}

/// Why there is no better answer, and what to do next.
struct Why<'a> {
    text: &'a str,
    because: &'a [String],
    next: Option<&'a str>,
}

fn refused(
    outcome: AnswerOutcome,
    why: Why<'_>,
    report: Option<&Report>,
) -> Result<Ended, WorkError> {
    let failed = Failed {
        error: why.text,
        because: why.because,
        refusals: &[],
        next: why.next,
        exit_code: 1,
    };
    let report = report.map(|report| documents::check(report, &Surroundings::default()));
    // A run has no refusals, which are of pushes.
    let document = documents::error(failed, report, &|_| String::new());
    let text = documents::json_text(&document).map_err(RequestError::from)?;
    Ok(Ended::Answered(outcome, text))
}
