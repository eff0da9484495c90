//! The keys of issuers: fetched once by whoever comes first, and kept while the provider is down.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use faregate_core::{
    document::is_trustworthy,
    jwt::{IssuerPolicy, KeySet, KeyUrl, Verification, parse_strict},
    secret::SecretValue,
    time::Timestamp,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lru::LruCache;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{sync::oneshot, time::timeout};
use url::Url;

use super::TokenPorts;
use crate::{
    gateway::{
        SideWork,
        bounded::is_within,
        fetch::{Fetch, fetch},
    },
    ports::Metric,
};

/// How long a set counts at least and at most, whatever its `cache-control` says.
const AGE_MAX: std::ops::RangeInclusive<u64> = 300..=3600;
/// How long a set counts while the provider is down.
const STALE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long to wait after an attempt while there are no keys, and while there are old ones.
const RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(1);
const RETRY_WITH_KEYS: Duration = Duration::from_secs(10);
/// How long to wait after a look for an unknown key, at first and at most.
const UNKNOWN_PAUSE_MIN: Duration = Duration::from_secs(30);
const UNKNOWN_PAUSE_MAX: Duration = Duration::from_secs(600);
/// How long a request waits where the keys are long overdue, at first; twice as long after each attempt that was given
/// up, so that a provider that is only slow gets its answer through.
const OVERDUE_LIMIT: Duration = Duration::from_millis(200);
/// How long the provider's documents may take together, and how long each may be.
const FETCH_LIMIT: Duration = Duration::from_secs(2);
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// How many issuers are remembered.
const ISSUERS_MAX: NonZeroUsize = NonZeroUsize::new(1000).expect("1,000 is not zero");

/// Keys, and which ones.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) set: KeySet,
    /// SHA-256 of what they were read from: other keys, another version.
    pub(super) version: [u8; 32],
}

/// The keys of every issuer.
pub(super) struct KeySets {
    ports: TokenPorts,
    slots: Mutex<LruCache<[u8; 32], Arc<Slot>>>,
}

/// What is known of one provider's keys.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    /// One fetch at a time.
    fetching: tokio::sync::Mutex<()>,
    /// Held, too, by the fetch that is no look for an unknown key: others wait for that one alone.
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// When the last attempt began, or ended: one that hangs counts, too.
    attempted_at: Option<Timestamp>,
    /// How many attempts have ended: whoever waited for one need not make another.
    attempts: u64,
    /// How many in a row were given up before they ended.
    given_up: u32,
    /// The address of the keys as far as an attempt came that was given up: the next one goes on there.
    discovered: Option<Url>,
    looked_for_unknown_at: Option<(Timestamp, Look)>,
    /// How long the last look in vain keeps away the next one; zero where the set has changed since.
    unknown_pause: Duration,
}

/// What came of a look for an unknown key.
#[derive(Clone, Copy)]
enum Look {
    /// The provider answered, and nobody waits for the key to come.
    InVain,
    /// The provider did not answer.
    Failed,
}

#[derive(Clone)]
struct Held {
    keys: Keys,
    fetched_at: Timestamp,
    age_max: Duration,
}

/// An attempt to fetch keys. Side work is aborted 500 ms after the answer, and a request ends with its invocation: an
/// attempt that goes with them is told when it is dropped.
struct Attempt<'a> {
    slot: &'a Slot,
    issuer: &'a IssuerPolicy,
    ports: &'a TokenPorts,
    has_ended: bool,
}

impl<'a> Attempt<'a> {
    fn begin(slot: &'a Slot, issuer: &'a IssuerPolicy, ports: &'a TokenPorts) -> Self {
        slot.state().attempted_at = Some(ports.clock.now());
        Self { slot, issuer, ports, has_ended: false }
    }

    /// The attempt has ended, either way.
    fn end(mut self) -> MutexGuard<'a, State> {
        self.has_ended = true;
        let mut state = self.slot.state();
        state.attempted_at = Some(self.ports.clock.now());
        state.attempts += 1;
        state.given_up = 0;
        state.discovered = None;
        state
    }

    fn tell(&self, cause: &str) {
        self.ports.telemetry.metric(Metric::IssuerErrors, &format!("issuer {}: {cause}", self.issuer.id));
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let mut state = self.slot.state();
        let now = self.ports.clock.now();
        state.given_up = state.given_up.saturating_add(1);
        if state.held.as_ref().is_none_or(|held| !is_within(held.fetched_at, now, STALE_MAX)) {
            // It went with a request whose time was over; the next one that waits for keys may have more.
            state.attempted_at = None;
        }
        drop(state);
        self.tell("an attempt to fetch the keys was given up unanswered");
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn version(&self) -> Option<[u8; 32]> {
        self.held.as_ref().map(|held| held.keys.version)
    }

    /// How long a request waits for an attempt where the keys are long overdue.
    fn overdue_limit(&self) -> Duration {
        OVERDUE_LIMIT.saturating_mul(2_u32.saturating_pow(self.given_up)).min(FETCH_LIMIT)
    }

    fn may_try(&self, now: Timestamp) -> bool {
        let pause = if self.held.is_some() { RETRY_WITH_KEYS } else { RETRY_WITHOUT_KEYS };
        self.attempted_at.is_none_or(|at| !is_within(at, now, pause))
    }
}

impl KeySets {
    pub(super) fn new(ports: &TokenPorts) -> Self {
        Self { ports: ports.clone(), slots: Mutex::new(LruCache::new(ISSUERS_MAX)) }
    }

    /// The keys that count now; the error says why there are none.
    pub(super) async fn current(
        self: &Arc<Self>,
        issuer: &Arc<IssuerPolicy>,
        side_work: &mut SideWork,
    ) -> Result<Keys, String> {
        let url = match &issuer.verification {
            Verification::Inline(set) => return Ok(Keys { set: set.clone(), version: issuer.hash }),
            Verification::Secret(reference) => {
                return self
                    .ports
                    .secrets
                    .read(reference)
                    .await
                    .map(|secret| of_secret(&secret))
                    .map_err(|e| e.to_string());
            }
            Verification::Remote(url) => url,
            Verification::Introspection(_) => return Err("the issuer is asked and has no keys".to_owned()),
        };
        let slot = self.slot(issuer.keys_hash);
        let now = self.ports.clock.now();
        let (held, may_try, overdue_limit) = {
            let state = slot.state();
            (state.held.clone(), state.may_try(now), state.overdue_limit())
        };
        match held {
            Some(held) if is_within(held.fetched_at, now, held.age_max) => Ok(held.keys),
            Some(held) if is_within(held.fetched_at, now, STALE_MAX) => {
                // After a freeze: a key that was taken back meanwhile should not count.
                let is_overdue = !is_within(held.fetched_at, now, held.age_max * 2);
                if may_try {
                    let (done, finished) = oneshot::channel();
                    let (sets, issuer, url) = (Arc::clone(self), Arc::clone(issuer), url.clone());
                    let refreshed = Arc::clone(&slot);
                    side_work.spawn(async move {
                        sets.refresh(&refreshed, &issuer, &url).await;
                        // Nobody listens when the request went on.
                        let _ = done.send(());
                    });
                    if is_overdue {
                        let _ = timeout(overdue_limit, finished).await;
                    }
                } else if is_overdue {
                    // For an attempt that another request began, if it goes on. A look for an unknown key is none: it
                    // keeps waiting only those who have such a key.
                    let _ = timeout(overdue_limit, slot.refreshing.lock()).await;
                }
                Ok(slot.state().held.clone().unwrap_or(held).keys)
            }
            _ => {
                self.refresh(&slot, issuer, url).await;
                let held = slot.state().held.clone();
                let held = held.filter(|held| is_within(held.fetched_at, self.ports.clock.now(), STALE_MAX));
                held.map(|held| held.keys).ok_or_else(|| format!("the keys of issuer {} cannot be fetched", issuer.id))
            }
        }
    }

    /// Other keys than those of `version`, if the issuer has any by now. Asked for only so often; meanwhile tokens of
    /// known keys do not wait.
    ///
    /// # Errors
    ///
    /// Why the issuer could not be asked, just now or a moment ago.
    pub(super) async fn newer(&self, issuer: &IssuerPolicy, version: [u8; 32]) -> Result<Option<Keys>, String> {
        match &issuer.verification {
            Verification::Secret(reference) => {
                let secret = self.ports.secrets.refresh(reference).await.map_err(|error| error.to_string())?;
                let keys = of_secret(&secret);
                Ok((keys.version != version).then_some(keys))
            }
            Verification::Remote(url) => {
                let slot = self.slot(issuer.keys_hash);
                let _fetching = slot.fetching.lock().await;
                let unreachable = || format!("the keys of issuer {} cannot be fetched", issuer.id);
                {
                    let (mut state, now) = (slot.state(), self.ports.clock.now());
                    if state.version() != Some(version) {
                        return Ok(state.held.as_ref().map(|held| held.keys.clone()));
                    }
                    match state.looked_for_unknown_at {
                        Some((at, Look::InVain)) if is_within(at, now, state.unknown_pause.max(UNKNOWN_PAUSE_MIN)) => {
                            return Ok(None);
                        }
                        Some((at, Look::Failed)) if is_within(at, now, UNKNOWN_PAUSE_MIN) => return Err(unreachable()),
                        _ => {}
                    }
                    // One that is given up has failed.
                    state.looked_for_unknown_at = Some((now, Look::Failed));
                }
                let fetched = self.load(&slot, issuer, url).await;
                let (mut state, now) = (slot.state(), self.ports.clock.now());
                if !fetched {
                    state.looked_for_unknown_at = Some((now, Look::Failed));
                    return Err(unreachable());
                }
                state.looked_for_unknown_at = Some((now, Look::InVain));
                let newer = state.held.as_ref().map(|held| held.keys.clone()).filter(|keys| keys.version != version);
                if newer.is_none() {
                    state.unknown_pause = (state.unknown_pause * 2).clamp(UNKNOWN_PAUSE_MIN, UNKNOWN_PAUSE_MAX);
                }
                Ok(newer)
            }
            Verification::Inline(_) | Verification::Introspection(_) => Ok(None),
        }
    }

    fn slot(&self, issuer: [u8; 32]) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.get_or_insert(issuer, Arc::default))
    }

    /// Fetches the keys, unless somebody did a moment ago.
    async fn refresh(&self, slot: &Slot, issuer: &IssuerPolicy, url: &KeyUrl) {
        let before = slot.state().attempts;
        let _fetching = slot.fetching.lock().await;
        let may_try = {
            let state = slot.state();
            state.attempts == before && state.may_try(self.ports.clock.now())
        };
        if may_try {
            let _refreshing = slot.refreshing.lock().await;
            self.load(slot, issuer, url).await;
        }
    }

    /// Fetches the keys; whether they came.
    async fn load(&self, slot: &Slot, issuer: &IssuerPolicy, url: &KeyUrl) -> bool {
        let attempt = Attempt::begin(slot, issuer, &self.ports);
        let fetched = timeout(FETCH_LIMIT, self.fetch_keys(slot, issuer, url)).await;
        match fetched.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok((keys, age_max)) => {
                if keys.set.is_empty() {
                    attempt.tell("the provider has no usable key: its tokens are refused");
                }
                let mut state = attempt.end();
                if state.version() != Some(keys.version) {
                    // The next unknown key may be one of a rotation that has just begun.
                    state.unknown_pause = Duration::ZERO;
                }
                state.held = Some(Held { keys, fetched_at: self.ports.clock.now(), age_max });
                true
            }
            Err(cause) => {
                attempt.tell(&cause);
                drop(attempt.end());
                false
            }
        }
    }

    async fn fetch_keys(&self, slot: &Slot, issuer: &IssuerPolicy, url: &KeyUrl) -> Result<(Keys, Duration), String> {
        let discovered;
        let url = match url {
            KeyUrl::Jwks(url) => url,
            KeyUrl::Discovery(url) => {
                let remembered = slot.state().discovered.clone();
                discovered = match remembered {
                    Some(url) => url,
                    None => self.discover(issuer, url).await?,
                };
                slot.state().discovered = Some(discovered.clone());
                &discovered
            }
        };
        let (headers, body) = self.document(url).await?;
        let set = KeySet::from_jwks(&body).map_err(|error| error.to_string())?;
        Ok((Keys { set, version: Sha256::digest(&body).into() }, age_max(&headers)))
    }

    /// The address of the keys (OpenID Connect Discovery 1.0 §4.3: the metadata must name the issuer itself).
    async fn discover(&self, issuer: &IssuerPolicy, url: &Url) -> Result<Url, String> {
        let (_, body) = self.document(url).await?;
        let metadata = parse_strict(&body).map_err(|error| format!("the metadata: {error}"))?;
        let text = |name: &str| metadata.get(name).and_then(Value::as_str);
        if text("issuer") != Some(issuer.issuer()) {
            return Err("the metadata is another issuer's".to_owned());
        }
        let url = text("jwks_uri").and_then(|url| Url::parse(url).ok()).filter(is_trustworthy);
        url.ok_or_else(|| "the metadata has no jwks_uri over HTTPS".to_owned())
    }

    async fn document(&self, url: &Url) -> Result<(HeaderMap, Bytes), String> {
        let accept = (header::ACCEPT, HeaderValue::from_static("application/json"));
        let asked = Fetch {
            method: Method::GET,
            url,
            headers: HeaderMap::from_iter([accept]),
            body: Bytes::new(),
            limit: FETCH_LIMIT,
            bytes_max: DOCUMENT_BYTES_MAX,
        };
        let answer = fetch(&*self.ports.outbound, asked).await.map_err(|cause| format!("{url}: {cause}"))?;
        match answer.status {
            StatusCode::OK => Ok((answer.headers, answer.body)),
            status => Err(format!("{url} answered {}", status.as_u16())),
        }
    }
}

fn of_secret(secret: &SecretValue) -> Keys {
    Keys { set: KeySet::from_secret(secret.expose()), version: Sha256::digest(secret.expose()).into() }
}

/// `max-age` (RFC 9111 §5.2.2.1) within the bounds; without one, the lower bound.
fn age_max(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = values.flat_map(|value| value.split(','));
    let seconds =
        directives.filter_map(|directive| directive.trim().strip_prefix("max-age=")?.trim_matches('"').parse().ok());
    let seconds = seconds.min().unwrap_or(*AGE_MAX.start());
    Duration::from_secs(seconds.clamp(*AGE_MAX.start(), *AGE_MAX.end()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, header};

    use super::age_max;

    #[test]
    fn a_set_counts_between_five_minutes_and_an_hour() {
        for (value, seconds) in [
            ("max-age=600", 600),
            ("public, max-age=600, must-revalidate", 600),
            ("max-age=1", 300),
            ("no-store", 300),
            ("max-age=86400", 3600),
            ("max-age=99999999999999999999", 300),
        ] {
            let headers = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static(value))]);
            assert_eq!(age_max(&headers), Duration::from_secs(seconds), "{value}");
        }
        assert_eq!(age_max(&HeaderMap::new()), Duration::from_secs(300));
    }
}
