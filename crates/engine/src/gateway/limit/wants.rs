//! Which permits a request needs.

use std::sync::Arc;

use faregate_core::{
    limit::Rule,
    policy::limit::LimitPolicy,
    problem::{Code, Problem},
    snapshot::{LimitSet, NoPlan, Owner},
    time::Timestamp,
};
use tokio::join;

use super::{
    Asked, Limits,
    accounts::{self, Account, Holding},
    scope::Scope,
};
use crate::gateway::{
    SideWork,
    caller::{Caller, Evidence},
};

/// Permits that a request needs of one limit.
#[derive(Clone)]
pub(super) struct Want {
    pub(super) account: Arc<Account>,
    pub(super) rule: Arc<Rule>,
    pub(super) permits: u64,
    refuses_when_unavailable: bool,
    /// Whether this request passes without permits, because the counter cannot be reached.
    pub(super) is_owing: bool,
}

/// That a limit admits nothing without its counter.
pub(super) struct Refuses;

impl Limits {
    /// The plan that counts, and what the request needs of every limit that applies.
    pub(super) fn wants(
        self: &Arc<Self>,
        asked: Asked<'_>,
        caller: &Caller,
        side_work: &mut SideWork,
    ) -> Result<(Option<Arc<str>>, Vec<Want>), Problem> {
        let plan = asked.snapshot.plan(&asked.route.plan, caller.plan());
        let refused = |cause| Problem::new(Code::AccessDenied, "the caller has no plan").caused_by(cause);
        let plan = plan.map_err(|error: NoPlan| refused(error.to_string()))?;
        let mut wants = Vec::new();
        for set in plan.map(|plan| &plan.limits).into_iter().chain([&asked.route.limits]) {
            for limit in set.iter().filter(|limit| limit.counts(asked.method)) {
                wants.push(self.want(limit, set, asked, caller, side_work));
            }
        }
        Ok((plan.map(|plan| Arc::clone(&plan.id)), wants))
    }

    fn want(
        self: &Arc<Self>,
        limit: &LimitPolicy,
        set: &LimitSet,
        asked: Asked<'_>,
        caller: &Caller,
        side_work: &mut SideWork,
    ) -> Want {
        let scope = Scope::of(limit, asked, caller);
        let (account, evicted) = self.accounts.get(&format!("{}|{}", set.owner.name(), scope.text), scope.crowd);
        account.lasts(set.longest);
        if let Some(evicted) = evicted {
            let now = self.clock.now();
            let back = evicted.give_back(now, true);
            self.settle(&evicted, now);
            self.remember(&evicted, now);
            // A flood pushes out one account after the other, with which mostly nothing is to be done.
            if !back.is_empty() || evicted.has_rest(now) {
                let limits = Arc::clone(self);
                side_work.spawn(async move {
                    join!(limits.tell_rest(&evicted, now), limits.send_back(&evicted, back));
                });
            }
        }
        let overridden = match (caller.evidence(), &set.owner) {
            (Some(Evidence::Key { item, .. }), Owner::Plans) => item.limits.get(&limit.rule.id),
            _ => None,
        };
        Want {
            account,
            rule: overridden.map_or_else(|| Arc::clone(&limit.rule), |number| Arc::new(limit.rule.with_limit(*number))),
            permits: limit.permits(asked.headers),
            refuses_when_unavailable: limit.refuses_when_unavailable,
            is_owing: false,
        }
    }
}

impl Want {
    /// What is still to be told of a limit, for which no request waits.
    pub(super) fn of_rest(account: &Arc<Account>, rule: Arc<Rule>) -> Self {
        let account = Arc::clone(account);
        Self { account, rule, permits: 0, refuses_when_unavailable: true, is_owing: false }
    }

    /// Acts on what is held of this limit.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Holding) -> T) -> T {
        act(accounts::holding(&mut self.account.lock(), &self.rule))
    }

    /// Notes that a request came, and by which number it is counted.
    pub(super) fn request(&self, now: Timestamp) {
        self.with(|holding| {
            holding.lease.request(now);
            holding.rule = Some(Arc::clone(&self.rule));
        });
    }

    /// Whether the request cannot pass without asking anybody.
    pub(super) fn is_lacking(&self, now: Timestamp) -> bool {
        !self.is_owing && self.with(|holding| holding.lease.lacks(&self.rule, self.permits, now) > 0)
    }

    /// Whether others have used up meanwhile what may pass without permits.
    pub(super) fn is_overdrawn(&self, now: Timestamp) -> bool {
        let is_overdrawn = |holding: &mut Holding| {
            let lacks = holding.lease.lacks(&self.rule, self.permits, now) > 0;
            lacks && !holding.may_owe(&self.rule, now, self.permits)
        };
        self.is_owing && self.with(is_overdrawn)
    }

    /// Whether the counter is to be asked beside the request: the last permit is being spent, or it is time to tell. Of what
    /// clients choose, such as addresses, it first hears with the second permit.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.with(|Holding { lease, .. }| {
            lease.is_due(&self.rule, now) && !(self.account.is_chosen() && lease.is_fresh(&self.rule, now))
        })
    }

    /// Until when the counter's own word is that what is lacking is not left.
    pub(super) fn denied(&self, now: Timestamp) -> Option<Timestamp> {
        self.with(|Holding { lease, .. }| lease.denied(&self.rule, lease.lacks(&self.rule, self.permits, now), now))
    }

    /// Whether the counter said in this window that what is lacking is not left, even if that no longer counts, or that it
    /// gave the last permits away.
    pub(super) fn is_used_up(&self, now: Timestamp) -> bool {
        self.is_lacking(now)
            && self.with(|Holding { lease, .. }| {
                let lacks = lease.lacks(&self.rule, self.permits, now);
                lease.was_denied(&self.rule, lacks, now) || lease.remaining(&self.rule, now) == Some(0)
            })
    }

    /// How much everybody together has left, as far as this environment knows anything of that.
    pub(super) fn remaining(&self, now: Timestamp) -> Option<u64> {
        self.with(|holding| holding.lease.remaining(&self.rule, now))
    }

    /// When there is more.
    pub(super) fn resets_at(&self, now: Timestamp) -> Timestamp {
        self.with(|holding| holding.lease.resets_at(&self.rule, now))
    }

    /// When the request could have its permits.
    pub(super) fn met_at(&self, now: Timestamp) -> Timestamp {
        self.with(|holding| holding.lease.met_at(&self.rule, self.permits, now))
    }

    /// Lets the request pass without permits, where the limit says so: the counter cannot be reached.
    pub(super) fn owe(&mut self, now: Timestamp) -> Result<(), Refuses> {
        let may_owe = !self.refuses_when_unavailable;
        self.is_owing = may_owe && self.with(|holding| holding.may_owe(&self.rule, now, self.permits));
        if self.is_owing { Ok(()) } else { Err(Refuses) }
    }
}
