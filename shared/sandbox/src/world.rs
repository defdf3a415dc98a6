//! All that is remembered, and which provider answers a path.

use crate::Options;
use crate::aiven::{self, Aiven, Service};
use crate::call::{Answer, Call, html_page};
use crate::cloudflare::{self, Cloudflare};
use crate::faults::{Effect, Provider, Quirks};
use crate::pubsub::{self, Pubsub};
use serde::Serialize;
use std::collections::BTreeMap;

/// Maps are ordered throughout: equal worlds print as equal text.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct World {
    pub(crate) aiven: Aiven,
    pub(crate) pubsub: Pubsub,
    pub(crate) cloudflare: Cloudflare,
}

impl World {
    pub(crate) fn new(options: &Options) -> Self {
        let mut projects: BTreeMap<String, BTreeMap<String, Service>> = BTreeMap::new();
        let own = (options.aiven_project.clone(), options.kafka_service.clone());
        for (project, service) in std::iter::once(&own).chain(&options.more_services) {
            projects
                .entry(project.clone())
                .or_default()
                .insert(service.clone(), Service::new(options.kafka_brokers));
        }
        let gcp = std::iter::once(&options.gcp_project).chain(&options.more_gcp_projects);
        Self {
            aiven: Aiven { projects },
            pubsub: Pubsub::new(gcp.cloned().collect(), options.seed),
            cloudflare: Cloudflare::new(&options.zones, options.seed),
        }
    }

    pub(crate) fn answer(
        &mut self,
        provider: Provider,
        call: &Call,
        quirks: &Quirks,
        minimum_replication: u32,
        now_ms: i64,
    ) -> Answer {
        match provider {
            Provider::Aiven => {
                aiven::answer(&mut self.aiven, call, quirks, minimum_replication, now_ms)
            }
            Provider::Pubsub => pubsub::answer(&mut self.pubsub, call, quirks, now_ms),
            Provider::Cloudflare => cloudflare::answer(&mut self.cloudflare, call, now_ms),
            Provider::Sandbox | Provider::Nobody => html_page(404, "Not Found"),
        }
    }
}

/// One port for all: the path tells whose request it is.
pub(crate) fn provider_of(call: &Call) -> Provider {
    match call.segments().as_slice() {
        ["_sandbox", ..] => Provider::Sandbox,
        ["v1" | "v2", "project", ..] | ["v1", "me"] => Provider::Aiven,
        ["v1", "projects", ..] => Provider::Pubsub,
        ["client", "v4", ..] => Provider::Cloudflare,
        _ => Provider::Nobody,
    }
}

pub(crate) fn is_write(provider: Provider, call: &Call) -> bool {
    match provider {
        Provider::Aiven => aiven::is_write(call),
        Provider::Pubsub => pubsub::is_write(call),
        Provider::Cloudflare => cloudflare::is_write(call),
        Provider::Sandbox | Provider::Nobody => false,
    }
}

/// What this status usually says.
pub(crate) fn usual_refusal(provider: Provider, call: &Call, code: u16) -> Answer {
    match provider {
        Provider::Aiven => aiven::failure(code, None, None, None),
        Provider::Pubsub => pubsub::failure(code, call, None, None),
        Provider::Cloudflare => cloudflare::failure(code, None, None),
        Provider::Sandbox | Provider::Nobody => html_page(code, "Error"),
    }
}

/// The refusal a `Status` fault stands for, in the provider's own words.
pub(crate) fn refusal(provider: Provider, call: &Call, effect: &Effect) -> Option<Answer> {
    let Effect::Status {
        code,
        retry_after_s,
        try_again_s,
        message,
        error_code,
    } = effect
    else {
        return None;
    };
    let (message, error_code) = (message.as_deref(), error_code.as_deref());
    let answer = match provider {
        Provider::Aiven => aiven::failure(*code, *try_again_s, message, error_code),
        Provider::Pubsub => pubsub::failure(*code, call, message, error_code),
        Provider::Cloudflare => cloudflare::failure(*code, message, error_code),
        Provider::Sandbox | Provider::Nobody => html_page(*code, "Error"),
    };
    Some(match retry_after_s {
        Some(wait) => answer.with("retry-after", wait.to_string()),
        None => answer,
    })
}
