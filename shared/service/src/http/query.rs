//! Queries and headers, read strictly: what is not known is refused, and nothing is taken twice.

use std::collections::BTreeSet;

use ::http::HeaderMap;
use ::http::header::HeaderName;
use kedge_core::model::StackName;

use super::Routed;
use super::problem::{Problem, ProblemKind};
use super::routes::Param;

/// The longest that a request waits, in seconds: gateways before a function give up after 29 or 30.
pub(super) const WAIT_S_MAX: u64 = 25;
/// The most stacks of a page: each is a read of the store.
pub(super) const LIMIT_MAX: u64 = 100;
/// The most runs or pushes of a list: each is a read of the store.
pub(super) const MOST_MAX: u64 = 100;
/// How many there are where nobody says.
pub(super) const MOST: u64 = 20;

impl Param {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::After => "after",
            Self::Limit => "limit",
            Self::Most => "most",
        }
    }

    /// The numbers that it takes; none for a name.
    pub(super) fn range(self) -> Option<(u64, u64)> {
        match self {
            Self::Wait => Some((0, WAIT_S_MAX)),
            Self::After => None,
            Self::Limit => Some((1, LIMIT_MAX)),
            Self::Most => Some((1, MOST_MAX)),
        }
    }
}

/// What a query says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) wait_s: u64,
    pub(super) after: Option<StackName>,
    pub(super) limit: usize,
    pub(super) most: usize,
}

impl Query {
    /// Reads the query of a request.
    pub(super) fn read(routed: &Routed<'_>) -> Result<Self, Problem> {
        let mut query = Self {
            wait_s: 0,
            after: None,
            limit: usize::try_from(LIMIT_MAX).unwrap_or_default(),
            most: usize::try_from(MOST).unwrap_or_default(),
        };
        let invalid = |why: String| Problem::new(ProblemKind::InvalidQuery, why);
        let mut seen = BTreeSet::new();
        let text = routed.head.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let params = routed.route.params.iter();
            let param = params.copied().find(|param| param.name() == name);
            let Some(param) = param else {
                return Err(invalid(format!("`{name}` is not known here")));
            };
            if !seen.insert(param.name()) {
                return Err(invalid(format!("`{name}` is there twice")));
            }
            let number = || {
                let (least, most) = param.range().unwrap_or_default();
                let wrong = || invalid(format!("`{name}` is a number from {least} to {most}"));
                let number = number(&value).filter(|number| (least..=most).contains(number));
                number.ok_or_else(wrong)
            };
            let count = || number().map(|number| usize::try_from(number).unwrap_or(usize::MAX));
            match param {
                Param::Wait => query.wait_s = number()?,
                Param::Limit => query.limit = count()?,
                Param::Most => query.most = count()?,
                Param::After => {
                    let stack = StackName::new(&value);
                    let wrong = |_| invalid(format!("`{name}` is the name of a stack"));
                    query.after = Some(stack.map_err(wrong)?);
                }
            }
        }
        Ok(query)
    }
}

/// Digits alone, and few.
fn number(text: &str) -> Option<u64> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// The value of a header that may be there once.
pub(super) fn header<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Problem> {
    let invalid = |why: &str| Problem::new(ProblemKind::InvalidHeader, format!("`{name}` {why}"));
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid("is there twice"));
    }
    let value = value.to_str();
    value.map(Some).map_err(|_| invalid("is not plain text"))
}
