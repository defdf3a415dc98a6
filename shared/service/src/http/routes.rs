//! The one table of routes. What answers requests goes by it, and the OpenAPI document is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use ::http::Method;
use kedge_core::stored::token::TokenScope;
use percent_encoding::percent_decode_str;

use super::problem::ProblemKind;

/// The most bytes of a body: keys of destructive changes, by name.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Endpoint {
    Stacks,
    Stack,
    Check,
    Preview,
    Up,
    Hold,
    Release,
    Runs,
    Run,
    History,
    UploadEvent,
    Health,
    Version,
    OpenApi,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Anybody: it says nothing of any stack.
    Anybody,
    /// A bearer token with this scope.
    Token(TokenScope),
    /// Whoever has the key of the relay of events, by a signature.
    Relay,
}

/// What is in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    /// How long to wait for an answer.
    Wait,
    /// The stack after which a page begins.
    After,
    /// The length of a page.
    Limit,
    /// The length of a list.
    Most,
}

/// What is in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyOf {
    /// Nothing may be.
    Nothing,
    /// `{}`, or nothing.
    Ask,
    /// What is agreed to.
    Up,
    /// What is held, and why.
    Hold,
    /// What is released.
    Release,
    /// An object that was uploaded.
    UploadEvent,
}

/// How a route answers when all goes well.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "a test makes the OpenAPI document of it")
)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The name in the format of the document; none: nothing, or what it says.
    pub(super) document: Option<&'static str>,
    /// When, for people.
    pub(super) when: &'static str,
}

/// A route.
#[derive(Debug)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "a test makes the OpenAPI document of it")
)]
pub(super) struct Route {
    pub(super) method: Method,
    /// With `{stack}` and `{id}`.
    pub(super) path: &'static str,
    pub(super) endpoint: Endpoint,
    pub(super) caller: Caller,
    /// One line for people.
    pub(super) summary: &'static str,
    pub(super) body: BodyOf,
    pub(super) params: &'static [Param],
    pub(super) answers: &'static [Answer],
    /// What can go wrong besides what follows from the rest of the route.
    pub(super) problems: &'static [ProblemKind],
}

const fn document(status: u16, document: &'static str, when: &'static str) -> Answer {
    Answer {
        status,
        document: Some(document),
        when,
    }
}

const RUN: &[Answer] = &[
    document(200, "run", "The answer is there."),
    document(
        202,
        "run",
        "It is queued. `Location` is where to ask for the answer.",
    ),
];
const ASKED: &[ProblemKind] = &[
    ProblemKind::ReadOnly,
    ProblemKind::KeyReused,
    ProblemKind::Unusable,
];

/// All routes.
pub(super) static ROUTES: [Route; 14] = [
    Route {
        method: Method::GET,
        path: "/v1/stacks",
        endpoint: Endpoint::Stacks,
        caller: Caller::Token(TokenScope::Read),
        summary: "The stacks that the token is for, and how they stood when they were looked at last",
        body: BodyOf::Nothing,
        params: &[Param::After, Param::Limit],
        answers: &[document(200, "stacks", "A page of stacks, by name.")],
        problems: &[ProblemKind::Unusable],
    },
    Route {
        method: Method::GET,
        path: "/v1/stacks/{stack}",
        endpoint: Endpoint::Stack,
        caller: Caller::Token(TokenScope::Read),
        summary: "How a stack stood when it was looked at last, what is held, and who changes it now",
        body: BodyOf::Nothing,
        params: &[],
        answers: &[document(200, "stack-status", "The stack.")],
        problems: &[ProblemKind::Unusable],
    },
    Route {
        method: Method::POST,
        path: "/v1/stacks/{stack}/check",
        endpoint: Endpoint::Check,
        caller: Caller::Token(TokenScope::Check),
        summary: "Say what differs. Automation then corrects what the policy allows",
        body: BodyOf::Ask,
        params: &[Param::Wait],
        answers: RUN,
        problems: ASKED,
    },
    Route {
        method: Method::POST,
        path: "/v1/stacks/{stack}/preview",
        endpoint: Endpoint::Preview,
        caller: Caller::Token(TokenScope::Check),
        summary: "Say what `up` would do, with the digest to agree to",
        body: BodyOf::Ask,
        params: &[Param::Wait],
        answers: RUN,
        problems: ASKED,
    },
    Route {
        method: Method::POST,
        path: "/v1/stacks/{stack}/up",
        endpoint: Endpoint::Up,
        caller: Caller::Token(TokenScope::Apply),
        summary: "Carry out the plan that a preview showed, and no other",
        body: BodyOf::Up,
        params: &[Param::Wait],
        answers: RUN,
        problems: &[
            ProblemKind::ReadOnly,
            ProblemKind::KeyReused,
            ProblemKind::UnknownResource,
            ProblemKind::Unusable,
        ],
    },
    Route {
        method: Method::POST,
        path: "/v1/stacks/{stack}/hold",
        endpoint: Endpoint::Hold,
        caller: Caller::Token(TokenScope::Hold),
        summary: "Block every change of the stack, or of some resources, for a time",
        body: BodyOf::Hold,
        params: &[],
        answers: &[document(200, "holds", "The holds in force.")],
        problems: &[
            ProblemKind::ReadOnly,
            ProblemKind::UnknownResource,
            ProblemKind::Unusable,
        ],
    },
    Route {
        method: Method::POST,
        path: "/v1/stacks/{stack}/release",
        endpoint: Endpoint::Release,
        caller: Caller::Token(TokenScope::Hold),
        summary: "End the holds of the whole stack, or those of some resources, whoever set them",
        body: BodyOf::Release,
        params: &[],
        answers: &[document(200, "holds", "The holds that are left.")],
        problems: &[
            ProblemKind::ReadOnly,
            ProblemKind::UnknownResource,
            ProblemKind::Unusable,
        ],
    },
    Route {
        method: Method::GET,
        path: "/v1/stacks/{stack}/runs",
        endpoint: Endpoint::Runs,
        caller: Caller::Token(TokenScope::Read),
        summary: "The runs that changed something, newest first",
        body: BodyOf::Nothing,
        params: &[Param::Most],
        answers: &[document(200, "runs", "The runs.")],
        problems: &[ProblemKind::Unusable],
    },
    Route {
        method: Method::GET,
        path: "/v1/stacks/{stack}/runs/{id}",
        endpoint: Endpoint::Run,
        caller: Caller::Token(TokenScope::Read),
        summary: "A run that was asked for, with its answer, or one that changed something",
        body: BodyOf::Nothing,
        params: &[Param::Wait],
        answers: &[document(200, "run", "The run, answered or not.")],
        problems: &[ProblemKind::UnknownRun, ProblemKind::Unusable],
    },
    Route {
        method: Method::GET,
        path: "/v1/stacks/{stack}/history",
        endpoint: Endpoint::History,
        caller: Caller::Token(TokenScope::Read),
        summary: "Pushes and runs, newest first",
        body: BodyOf::Nothing,
        params: &[Param::Most],
        answers: &[document(200, "history", "What happened.")],
        problems: &[ProblemKind::Unusable],
    },
    Route {
        method: Method::POST,
        path: "/v1/events/definitions",
        endpoint: Endpoint::UploadEvent,
        caller: Caller::Relay,
        summary: "Look at definitions that were uploaded. It is believed only as a hint to look now",
        body: BodyOf::UploadEvent,
        params: &[],
        answers: &[Answer {
            status: 202,
            document: None,
            when: "It is looked at soon. The answer has no body.",
        }],
        problems: &[
            ProblemKind::BadSignature,
            ProblemKind::NotFound,
            ProblemKind::Replayed,
            ProblemKind::QueueFailed,
        ],
    },
    Route {
        method: Method::GET,
        path: "/healthz",
        endpoint: Endpoint::Health,
        caller: Caller::Anybody,
        summary: "Whether automation runs, and checks every stack in time",
        body: BodyOf::Nothing,
        params: &[],
        answers: &[
            document(200, "health", "All is well."),
            document(503, "health", "It is not; `problems` says why."),
        ],
        problems: &[],
    },
    Route {
        method: Method::GET,
        path: "/version",
        endpoint: Endpoint::Version,
        caller: Caller::Anybody,
        summary: "Which version of Kedge answers",
        body: BodyOf::Nothing,
        params: &[],
        answers: &[document(200, "version", "The version.")],
        problems: &[],
    },
    Route {
        method: Method::GET,
        path: "/openapi.json",
        endpoint: Endpoint::OpenApi,
        caller: Caller::Anybody,
        summary: "This API as an OpenAPI 3.1 document",
        body: BodyOf::Nothing,
        params: &[],
        answers: &[Answer {
            status: 200,
            document: None,
            when: "The document.",
        }],
        problems: &[],
    },
];

/// The routes of a path, and its parts.
pub(super) struct Found {
    /// Where they are in the table.
    pub(super) routes: &'static [usize],
    /// The methods that they take.
    pub(super) allow: String,
    pub(super) stack: Option<String>,
    pub(super) id: Option<String>,
}

/// The paths of the table. Two that are alike but for the names of their parts can't both be in it, which a
/// test would show.
static PATHS: LazyLock<matchit::Router<Vec<usize>>> = LazyLock::new(|| {
    let mut by_path: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, route) in ROUTES.iter().enumerate() {
        by_path.entry(route.path).or_default().push(number);
    }
    let mut router = matchit::Router::new();
    for (path, routes) in by_path {
        let _ = router.insert(path, routes);
    }
    router
});

/// Finds the routes of a path, exactly: a slash at its end, or twice, is another path. What is encoded is
/// decoded once, and only in parts that have a name; anything that is not text is no path of ours.
pub(super) fn find(path: &str) -> Option<Found> {
    let found = PATHS.at(path).ok()?;
    let decoded = |name: &str| match found.params.get(name) {
        None => Some(None),
        Some(part) => {
            let text = percent_decode_str(part).decode_utf8().ok()?;
            Some(Some(text.into_owned()))
        }
    };
    let mut allow = BTreeSet::new();
    for route in found.value.iter().filter_map(|number| ROUTES.get(*number)) {
        allow.insert(route.method.as_str());
        if route.method == Method::GET {
            allow.insert("HEAD");
        }
    }
    Some(Found {
        routes: found.value,
        allow: allow.into_iter().collect::<Vec<_>>().join(", "),
        stack: decoded("stack")?,
        id: decoded("id")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_path() {
        for (number, route) in ROUTES.iter().enumerate() {
            let path = route.path.replace("{stack}", "dev").replace("{id}", "1-a");
            let found = find(&path).unwrap();
            assert!(found.routes.contains(&number), "{path}");
            assert_eq!(
                found.stack.as_deref(),
                route.path.contains("{stack}").then_some("dev")
            );
            assert_eq!(
                found.id.as_deref(),
                route.path.contains("{id}").then_some("1-a")
            );
        }
        let endpoints: BTreeSet<_> = ROUTES.iter().map(|route| route.endpoint).collect();
        assert_eq!(endpoints.len(), ROUTES.len());
    }

    #[test]
    fn nothing_else_is() {
        for path in [
            "",
            "/",
            "*",
            "/v1",
            "/v1/",
            "/v1/stacks/",
            "//v1/stacks",
            "/v1//stacks",
            "/V1/stacks",
            "/v1/%73tacks",
            "/v1/stacks/dev/",
            "/v1/stacks//runs",
            "/v1/stacks/dev/runs/",
            "/v1/stacks/dev/runs/1/2",
            "/v1/stacks/dev/delete",
            "/v1/stacks/%ff",
            "/healthz/",
            "/healthz/../version",
            "/v1/stacks/dev/runs/%ff",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
        let tricky = find("/v1/stacks/a%2Fruns/check").unwrap();
        assert_eq!(
            tricky.stack.as_deref(),
            Some("a/runs"),
            "a part, and no name of a stack"
        );
        assert_eq!(
            find("/v1/stacks/%2564ev").unwrap().stack.as_deref(),
            Some("%64ev")
        );
    }
}
