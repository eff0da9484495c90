//! Whose requests are counted together.

use faregate_core::policy::limit::{LimitPolicy, PartPolicy};
use sha2::{Digest, Sha256};

use super::{Asked, accounts::Crowd};
use crate::gateway::{
    caller::{Caller, Evidence},
    network::network,
};

/// The name of a scope within its owner's counters.
pub(super) struct Scope {
    pub(super) text: String,
    pub(super) crowd: Crowd,
}

impl Scope {
    /// The scope of a request under a limit. Parts of a combined one have their lengths before them, so that no two
    /// combinations are one text.
    pub(super) fn of(limit: &LimitPolicy, asked: Asked<'_>, caller: &Caller) -> Self {
        let part = |part: &PartPolicy| match part {
            PartPolicy::Consumer => consumer(asked, caller),
            PartPolicy::Key => match caller.evidence() {
                Some(Evidence::Key { hash, .. }) => format!("k#{}", hash.as_str().get(..32).unwrap_or_default()),
                _ => consumer(asked, caller),
            },
            PartPolicy::Ip => address(asked),
            PartPolicy::Route => format!("r#{}", asked.route.id),
            PartPolicy::Header(name) => {
                let values = asked.headers.get_all(name).iter();
                hashed(Kind::Header, name.as_str(), values.map(|value| value.as_bytes().to_vec()))
            }
            PartPolicy::Claim(name) => {
                // The first credential says who calls; no other one chooses the counter.
                let subjects = caller.subjects();
                let claim = subjects.first().and_then(|subject| subject.claims?.get(&**name));
                hashed(Kind::Claim, name, claim.into_iter().map(|claim| claim.to_string().into_bytes()))
            }
        };
        let text = match &*limit.by {
            [only] => part(only),
            several => {
                let parts = several.iter().map(part);
                parts.map(|part| format!("{}:{part}", part.len())).collect::<Vec<_>>().join(",")
            }
        };
        let crowd = match caller.is_anonymous() {
            true => Crowd::Strangers,
            false if limit.is_chosen => Crowd::Values,
            false => Crowd::Callers,
        };
        Self { crowd, text }
    }
}

/// The consumer, and without one the address.
fn consumer(asked: Asked<'_>, caller: &Caller) -> String {
    caller.consumer().map_or_else(|| address(asked), |consumer| format!("c#{consumer}"))
}

/// The address.
fn address(asked: Asked<'_>) -> String {
    format!("ip#{}", network(asked.client.address))
}

/// Where a value comes from: a header and a claim of one name are two things.
#[derive(Clone, Copy)]
enum Kind {
    Header = 0,
    Claim = 1,
}

/// Values of any length as a text of a fixed one; none at all is one value for everybody.
fn hashed(kind: Kind, name: &str, values: impl Iterator<Item = Vec<u8>>) -> String {
    let mut digest = Sha256::new();
    digest.update([kind as u8]);
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add(name.as_bytes());
    values.for_each(|value| add(&value));
    let hex: String = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("h#{hex}")
}
