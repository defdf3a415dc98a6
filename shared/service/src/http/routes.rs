//! The one table of routes. What answers requests goes by it, and the OpenAPI document is made of it.

use http::Method;
use kedge_core::stored::token::TokenScope;

/// What a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
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
pub(crate) enum Caller {
    /// Anybody: it says nothing of any stack.
    Anybody,
    /// A bearer token with this scope.
    Token(TokenScope),
    /// Whoever has the key of the relay of events, by a signature.
    Relay,
}

/// A route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With `{stack}` and `{id}`.
    pub(crate) path: &'static str,
    pub(crate) endpoint: Endpoint,
    pub(crate) caller: Caller,
    /// One line for people.
    pub(crate) summary: &'static str,
    /// The most bytes of a body; 0: it takes none.
    pub(crate) body_bytes_max: usize,
    /// Whether it takes `?wait=`.
    pub(crate) waits: bool,
}

/// The most bytes of a body: keys of destructive changes, by name.
const BODY_BYTES_MAX: usize = 64 * 1024;

const fn get(path: &'static str, endpoint: Endpoint, caller: Caller, summary: &'static str) -> Route {
    Route {
        method: Method::GET,
        path,
        endpoint,
        caller,
        summary,
        body_bytes_max: 0,
        waits: false,
    }
}

const fn post(path: &'static str, endpoint: Endpoint, caller: Caller, summary: &'static str) -> Route {
    Route {
        method: Method::POST,
        path,
        endpoint,
        caller,
        summary,
        body_bytes_max: BODY_BYTES_MAX,
        waits: false,
    }
}

const fn waiting(route: Route) -> Route {
    Route {
        waits: true,
        ..route
    }
}
