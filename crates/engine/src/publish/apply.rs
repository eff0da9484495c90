//! `faregate apply` and `faregate rollback`: many items as one change.

use std::{collections::BTreeMap, time::Duration};

use faregate_core::{
    check::{CheckOptions, check},
    diagnostic::{Diagnostic, Report},
    document::{Entry, Kind, RawDocument},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};

use super::{Outcome, PublishError, PublishOptions, publish};
use crate::{
    ports::{ApplyLock, Clock, ConfigWriter, SnapshotStore, StoreError, StoredEntry},
    published::{CorruptSnapshot, SnapshotHead, unpack},
};

/// How long a lock counts without being renewed.
pub const LOCK_DURATION: Duration = Duration::from_secs(60);

/// How many writes are under way at once.
const WRITES_AT_ONCE: usize = 16;
/// How many writes happen before the lock is renewed.
const WRITES_PER_LOCK: usize = 500;

/// One difference between what is stored and what is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The entry is new.
    Create(Entry),
    /// The entry is there with other fields.
    Update {
        /// As it is stored; what is no JSON is empty here.
        before: Entry,
        /// As it shall be.
        after: Entry,
    },
    /// The entry is not wanted.
    Delete {
        /// Its kind, known or not.
        kind: String,
        /// Its id.
        id: String,
    },
}

/// What has to be done, in the order of dependence: settings and backends before routes, deletions last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The changes.
    pub changes: Vec<Change>,
    /// Entries that are stored, not wanted, and stay because nothing is pruned.
    pub kept: Vec<(String, String)>,
}

/// How [`apply`] applies.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions<'a> {
    /// Whether entries that are not wanted are deleted.
    pub prune: bool,
    /// The plan that somebody has agreed to, or was found to delete nothing: no other one is carried out. `None` where there
    /// is nobody to ask.
    pub confirmed: Option<&'a Plan>,
    /// Names this process uniquely.
    pub holder: &'a str,
    /// What the check depends on.
    pub check: CheckOptions,
}

/// What [`apply`] did.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The changes that were written.
    pub plan: Plan,
    /// What publishing them came to.
    pub outcome: Outcome,
}

/// Why nothing was applied, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The result would have errors; nothing was written.
    #[error("the configuration has errors; nothing was written")]
    Refused(Vec<Diagnostic>),
    /// What is stored is not what it was when the plan was agreed to; nothing was written.
    #[error("somebody else changed the stored entries meanwhile; nothing was written")]
    Changed,
    /// Somebody else applies.
    #[error("another apply is at work")]
    Locked,
    /// The version is not kept.
    #[error("version {0} is not kept")]
    UnknownVersion(u64),
    /// Publishing failed; what served before goes on serving.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl From<StoreError> for ApplyError {
    fn from(error: StoreError) -> Self {
        Self::Publish(error.into())
    }
}

/// Compares what is stored with what is wanted.
#[must_use]
pub fn plan(stored: &[StoredEntry], wanted: &[Entry], prune: bool) -> Plan {
    let mut left: BTreeMap<(&str, &str), &StoredEntry> =
        stored.iter().map(|item| ((item.kind.as_str(), item.id.as_str()), item)).collect();
    let mut changes = Vec::new();
    let mut sorted: Vec<&Entry> = wanted.iter().collect();
    sorted.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    for entry in sorted {
        match left.remove(&(entry.kind.as_str(), entry.id.as_str())) {
            None => changes.push(Change::Create(entry.clone())),
            Some(item) if item.fields.as_ref().is_ok_and(|fields| same_fields(fields, &entry.fields)) => {}
            Some(item) => {
                let fields = item.fields.clone().unwrap_or_default();
                let before = Entry { kind: entry.kind, id: entry.id.clone(), fields };
                changes.push(Change::Update { before, after: entry.clone() });
            }
        }
    }
    let unwanted = left.into_keys().map(|(kind, id)| (kind.to_owned(), id.to_owned()));
    // Routes go before the backends that they name.
    let mut unwanted: Vec<(String, String)> = unwanted.collect();
    unwanted.sort_by_key(|(kind, _)| std::cmp::Reverse(Kind::parse(kind)));
    if prune {
        changes.extend(unwanted.drain(..).map(|(kind, id)| Change::Delete { kind, id }));
    }
    Plan { changes, kept: unwanted }
}

/// Whether two entries say the same: DynamoDB gives a number back in another spelling, as `1` for `1.0`.
fn same_fields(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same_value(value, other)))
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b)),
        (Value::Object(a), Value::Object(b)) => same_fields(a, b),
        _ => a == b,
    }
}

/// Writes the wanted entries under the lock and publishes them as one change.
///
/// Plans under the lock, and checks the result before anything is written.
///
/// # Errors
///
/// [`ApplyError`]. Where writing breaks off, the lock keeps half of the change from being published until it
/// expires; applying again completes the change.
pub async fn apply(
    store: &dyn ConfigWriter,
    clock: &dyn Clock,
    wanted: &[Entry],
    options: ApplyOptions<'_>,
) -> Result<Applied, ApplyError> {
    take_lock(store, clock, options.holder).await?;
    let result = apply_locked(store, clock, wanted, options).await;
    let unwritten = matches!(result, Err(ApplyError::Refused(_) | ApplyError::Changed));
    if result.is_ok() || unwritten {
        store.release_lock(options.holder).await?;
    }
    result
}

/// The entries of a kept version, as they were written: to [`apply`] them again is a rollback.
///
/// # Errors
///
/// [`ApplyError::UnknownVersion`], and [`ApplyError::Publish`] for a version that cannot be read.
pub async fn kept_entries(store: &dyn ConfigWriter, version: u64) -> Result<Vec<Entry>, ApplyError> {
    let heads = store.heads().await?;
    let head = heads.iter().find(|head| head.version == version).ok_or(ApplyError::UnknownVersion(version))?;
    Ok(read_document(store, head).await?.into_entries())
}

/// Reads the document of a version.
///
/// # Errors
///
/// The store's, or [`CorruptSnapshot`] in [`PublishError::Pack`].
pub async fn read_document(store: &dyn SnapshotStore, head: &SnapshotHead) -> Result<RawDocument, PublishError> {
    let chunks = store.chunks(&head.hash).await?;
    let content = unpack(head, &chunks)?;
    Ok(serde_json::from_slice(&content).map_err(|error| CorruptSnapshot::Content(error.to_string()))?)
}

async fn apply_locked(
    store: &dyn ConfigWriter,
    clock: &dyn Clock,
    wanted: &[Entry],
    options: ApplyOptions<'_>,
) -> Result<Applied, ApplyError> {
    let ApplyOptions { holder, check, .. } = options;
    let stored = store.entries().await?;
    let plan = plan(&stored, wanted, options.prune);
    if options.confirmed.is_some_and(|confirmed| *confirmed != plan) {
        return Err(ApplyError::Changed);
    }
    refuse_mistakes(&stored, wanted, &plan, check)?;
    for changes in plan.changes.chunks(WRITES_PER_LOCK) {
        take_lock(store, clock, holder).await?;
        let (deletes, puts): (Vec<_>, Vec<_>) =
            changes.iter().partition(|change| matches!(change, Change::Delete { .. }));
        for group in [puts, deletes] {
            let writes = stream::iter(group).map(|change| write(store, change)).buffer_unordered(WRITES_AT_ONCE);
            writes.try_collect::<Vec<()>>().await?;
        }
    }
    let outcome = publish(store, clock, PublishOptions { check, lock_holder: Some(holder) }).await?;
    Ok(Applied { plan, outcome })
}

/// Checks what the table will hold, before anything is written.
fn refuse_mistakes(
    stored: &[StoredEntry],
    wanted: &[Entry],
    plan: &Plan,
    options: CheckOptions,
) -> Result<(), ApplyError> {
    let mut report = Report::default();
    let is_kept = |item: &&StoredEntry| plan.kept.iter().any(|(kind, id)| *kind == item.kind && *id == item.id);
    let kept = stored.iter().filter(is_kept).filter_map(|item| super::entry_of(item, &mut report));
    let mut entries: Vec<Entry> = kept.collect();
    entries.extend(wanted.iter().cloned());
    let checked = check(&entries, options, report);
    if checked.document.is_none() { Err(ApplyError::Refused(checked.diagnostics)) } else { Ok(()) }
}

async fn take_lock(store: &dyn ConfigWriter, clock: &dyn Clock, holder: &str) -> Result<(), ApplyError> {
    let now = clock.now();
    let lock = ApplyLock { holder: holder.to_owned(), expires_at: now.plus(LOCK_DURATION) };
    if store.take_lock(&lock, now).await? { Ok(()) } else { Err(ApplyError::Locked) }
}

async fn write(store: &dyn ConfigWriter, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::Create(entry) | Change::Update { after: entry, .. } => {
            let (kind, id) = (entry.kind.as_str().to_owned(), entry.id.clone());
            store.put_entry(&StoredEntry { kind, id, fields: Ok(entry.fields.clone()) }).await
        }
        Change::Delete { kind, id } => store.delete_entry(kind, id).await,
    }
}
