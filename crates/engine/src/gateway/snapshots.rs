//! The snapshot that decides: loaded at the start, polled beside requests, never lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use faregate_core::{
    cost::half_reads,
    diagnostic::Report,
    document::Document,
    problem::{Code, Problem},
    snapshot::Snapshot,
    time::Timestamp,
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::timeout,
};

use super::{Ports, SideWork, deadline::Deadline};
use crate::{
    meter::Meter,
    ports::{Clock, Metric, SnapshotStore, StoreError, Telemetry},
    published::{SnapshotHead, unpack},
};

/// A snapshot that was not checked for this many refresh intervals is checked before it decides again.
const STALE_INTERVALS: u32 = 6;
/// How long a request waits for that check.
const STALE_CHECK_LIMIT: Duration = Duration::from_millis(200);
/// How long a gateway without any snapshot waits before it looks for one again.
const MISSING_INTERVAL: Duration = Duration::from_secs(1);
/// How long the first request waits where the start did not load a snapshot.
const FIRST_LOAD_LIMIT: Duration = Duration::from_secs(5);

/// What an item of a head has, about, and one of a chunk beside its data: names, keys and numbers.
const HEAD_BYTES: usize = 160;
const CHUNK_BYTES: usize = 90;

/// A snapshot and where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// Its version.
    pub head: SnapshotHead,
    /// The snapshot.
    pub snapshot: Snapshot,
    checked_at: AtomicU64,
}

impl Loaded {
    /// How long ago it was last known to be the newest.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(Timestamp::from_millis(self.checked_at.load(Ordering::Relaxed)))
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.snapshot.settings.refresh_seconds.into())
    }
}

/// Holds the snapshot of this environment.
pub(super) struct Snapshots {
    store: Arc<dyn SnapshotStore>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<dyn Telemetry>,
    meter: Arc<Meter>,
    loaded: ArcSwapOption<Loaded>,
    /// When somebody last looked, successfully or not: a store that is down is not asked by every request.
    attempted_at: AtomicU64,
    /// When a request last looked because there was none.
    missing_at: AtomicU64,
    /// Held by whoever looks: one look at a time.
    looking: Arc<Mutex<()>>,
}

impl Snapshots {
    pub(super) fn new(ports: &Ports, meter: &Arc<Meter>) -> Self {
        Self {
            store: Arc::clone(&ports.snapshots),
            clock: Arc::clone(&ports.clock),
            telemetry: Arc::clone(&ports.telemetry),
            meter: Arc::clone(meter),
            loaded: ArcSwapOption::empty(),
            attempted_at: AtomicU64::new(0),
            missing_at: AtomicU64::new(0),
            looking: Arc::default(),
        }
    }

    /// Loads ahead of the first request.
    pub(super) async fn warm_up(&self, limit: Duration) {
        self.refresh_within(limit).await;
    }

    /// The snapshot that decides now. A check that a request does not wait for any longer goes on beside it.
    pub(super) async fn for_decision(
        self: &Arc<Self>,
        deadline: Deadline<'_>,
        side_work: &mut SideWork,
    ) -> Result<Arc<Loaded>, Problem> {
        match self.loaded.load_full() {
            None if self.looked_in_vain() => {}
            None => {
                self.refresh_within(deadline.within(FIRST_LOAD_LIMIT)).await;
                self.missing_at.store(self.clock.now().as_millis(), Ordering::Relaxed);
            }
            Some(loaded) if self.is_past(&loaded.checked_at, loaded.interval() * STALE_INTERVALS) => {
                // After a freeze: what was revoked meanwhile must not decide. Whoever comes meanwhile waits for the same
                // check.
                self.refresh_beside(side_work);
                if timeout(deadline.within(STALE_CHECK_LIMIT), self.looking.lock()).await.is_err() {
                    self.telemetry.metric(Metric::ConfigAge, "the snapshot could not be checked in time");
                }
            }
            Some(loaded) => return Ok(loaded),
        }
        self.loaded.load_full().ok_or_else(|| {
            let mut problem = Problem::new(Code::NotReady, "publish a configuration, then try again");
            problem.retry_after_seconds = Some(1);
            problem.caused_by("no snapshot could be loaded")
        })
    }

    /// Starts a poll beside the request where one is due and none is under way.
    pub(super) fn refresh_beside(self: &Arc<Self>, side_work: &mut SideWork) {
        if self.loaded.load().as_ref().is_none_or(|loaded| self.is_due(loaded))
            && let Ok(turn) = Arc::clone(&self.looking).try_lock_owned()
        {
            let snapshots = Arc::clone(self);
            side_work.spawn(async move { snapshots.look(turn).await });
        }
    }

    /// Whether the snapshot is older than its interval and nobody looked within it.
    fn is_due(&self, loaded: &Loaded) -> bool {
        [&loaded.checked_at, &self.attempted_at].into_iter().all(|at| self.is_past(at, loaded.interval()))
    }

    /// Whether a time is so long ago.
    fn is_past(&self, at: &AtomicU64, age: Duration) -> bool {
        let (at, now) = (Timestamp::from_millis(at.load(Ordering::Relaxed)), self.clock.now());
        // A time to come is no age: the clock was set back.
        at > now || now.since(at) >= age
    }

    /// Whether there was no snapshot a moment ago: a flood of requests must not become a flood of reads.
    fn looked_in_vain(&self) -> bool {
        let now = self.clock.now();
        let missing_at = Timestamp::from_millis(self.missing_at.load(Ordering::Relaxed));
        missing_at <= now && now.since(missing_at) < MISSING_INTERVAL
    }

    async fn refresh_within(&self, limit: Duration) {
        let refresh = async { self.look(Arc::clone(&self.looking).lock_owned().await).await };
        if timeout(limit, refresh).await.is_err() {
            self.telemetry.metric(Metric::ConfigAge, "the snapshot could not be checked in time");
        }
    }

    /// Looks for a newer snapshot, when it is its turn.
    async fn look(&self, _turn: OwnedMutexGuard<()>) {
        let now = self.clock.now();
        self.attempted_at.store(now.as_millis(), Ordering::Relaxed);
        let mut check = Check { snapshots: self, outcome: Some("the check was given up".to_owned()), started: now };
        check.outcome = self.load_newest(now).await.err().map(|error| error.to_string());
    }

    async fn load_newest(&self, now: Timestamp) -> Result<(), StoreError> {
        let loaded = self.loaded.load_full();
        let known = loaded.as_ref().map_or(0, |loaded| loaded.head.version);
        self.meter.half_read();
        let (current, missing) = match self.store.current(false).await {
            Err(StoreError::Malformed(cause)) => (None, format!("the current item cannot be read: {cause}")),
            answer => (answer?, "there is no current snapshot".to_owned()),
        };
        match &current {
            // Versions only rise: an older one is an older answer of an eventually consistent read.
            Some(head) if head.version < known => return Ok(()),
            Some(head) if loaded.as_ref().is_some_and(|loaded| loaded.head.is_same(head)) => {
                if let Some(loaded) = loaded {
                    loaded.checked_at.store(now.as_millis(), Ordering::Relaxed);
                }
                return Ok(());
            }
            Some(head) if self.load(head, now).await? => return Ok(()),
            Some(_) => {}
            None => {
                self.telemetry.metric(Metric::SnapshotRejected, &missing);
            }
        }
        // What is current does not load: the newest version that does, if it is newer than the one that serves.
        let failed = current.as_ref().map(|head| head.version);
        let heads = self.store.heads().await?;
        self.meter.half_reads(2 * half_reads(heads.len() * HEAD_BYTES));
        for head in heads.into_iter().filter(|head| Some(head.version) != failed) {
            if head.version <= known || self.load(&head, now).await? {
                break;
            }
        }
        Ok(())
    }

    /// Makes a version the one that decides; `false` where it cannot be loaded.
    async fn load(&self, head: &SnapshotHead, now: Timestamp) -> Result<bool, StoreError> {
        let chunks = self.store.chunks(&head.hash).await?;
        // Read consistently, and charged by what they have all together.
        let bytes = chunks.iter().map(|chunk| chunk.len() + CHUNK_BYTES).sum();
        self.meter.half_reads(2 * half_reads(bytes));
        let compiled = unpack(head, &chunks).map_err(|error| error.to_string()).and_then(|content| compile(&content));
        match compiled {
            Ok(snapshot) => {
                let checked_at = AtomicU64::new(now.as_millis());
                self.loaded.store(Some(Arc::new(Loaded { head: head.clone(), snapshot, checked_at })));
                Ok(true)
            }
            Err(cause) => {
                self.telemetry.metric(Metric::SnapshotRejected, &format!("version {}: {cause}", head.version));
                Ok(false)
            }
        }
    }
}

/// A check under way. However it ends, even by being given up with the invocation's side work, a failure is told.
struct Check<'a> {
    snapshots: &'a Snapshots,
    outcome: Option<String>,
    started: Timestamp,
}

impl Drop for Check<'_> {
    fn drop(&mut self) {
        if let Some(cause) = &self.outcome {
            let age = self.snapshots.loaded.load().as_ref().map_or(Duration::ZERO, |loaded| loaded.age(self.started));
            let detail = format!("not checked for {} s: {cause}", age.as_secs());
            self.snapshots.telemetry.metric(Metric::ConfigAge, &detail);
        }
    }
}

fn compile(content: &[u8]) -> Result<Snapshot, String> {
    let document: Document = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    let mut report = Report::default();
    Snapshot::compile(&document, &mut report).ok_or_else(|| {
        let first = report.into_diagnostics().into_iter().next();
        first.map_or_else(|| "it does not compile".to_owned(), |diagnostic| diagnostic.to_string())
    })
}
