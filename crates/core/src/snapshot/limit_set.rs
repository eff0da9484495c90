//! The limits of a plan or of a route.

use std::{slice, time::Duration};

use crate::policy::limit::LimitPolicy;

/// Limits that may share counters.
#[derive(Debug)]
pub struct LimitSet {
    /// Whose they are.
    pub owner: Owner,
    /// For how long a counter matters at most: the longest window of all limits that may share it.
    pub longest: Duration,
    limits: Box<[LimitPolicy]>,
}

/// Whose limits these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// All plans together: an upgrade keeps what was used.
    Plans,
    /// A route; what its counters are called.
    Route(Box<str>),
}

impl Owner {
    /// What its counters' names begin with: `plan`, or `route:<id>`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Plans => "plan",
            Self::Route(name) => name,
        }
    }
}

impl LimitSet {
    /// Those of one plan; how long other plans' windows are is not known yet.
    pub(super) fn of_plan(limits: Box<[LimitPolicy]>) -> Self {
        Self { longest: longest(&limits), owner: Owner::Plans, limits }
    }

    /// Those of one route.
    pub(super) fn of_route(id: &str, limits: Box<[LimitPolicy]>) -> Self {
        Self { longest: longest(&limits), owner: Owner::Route(format!("route:{id}").into()), limits }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> slice::Iter<'_, LimitPolicy> {
        self.limits.iter()
    }
}

impl<'a> IntoIterator for &'a LimitSet {
    type Item = &'a LimitPolicy;
    type IntoIter = slice::Iter<'a, LimitPolicy>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn longest(limits: &[LimitPolicy]) -> Duration {
    limits.iter().map(|limit| limit.rule.lasts()).max().unwrap_or_default()
}
