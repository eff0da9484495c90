//! Publishing: Config items → one checked, compressed, versioned snapshot, all or nothing.
//!
//! The publisher function, its schedule and the CLI all call [`publish`]. A configuration with one mistake
//! is refused whole and the last good snapshot goes on serving, because leaving out only the bad route
//! would expose whatever stands beneath it.

mod apply;
mod patient;

pub use apply::{
    Applied, ApplyError, ApplyOptions, Change, LOCK_DURATION, Plan, apply, kept_entries, plan, read_document,
};
pub use patient::publish_when_free;

use faregate_core::{
    check::{CheckOptions, Checked, check, known_kind},
    diagnostic::{Diagnostic, Report, codes},
    document::{Entry, Kind, SETTINGS_ID},
};

use crate::{
    ports::{ApplyLock, Clock, ConfigStore, Expected, Flip, StoreError, StoredEntry},
    published::{CorruptSnapshot, DIAGNOSTICS_KEPT, FORMAT, Packed, SnapshotHead, Status, pack, unpack},
};

/// How many versions are kept for [`kept_entries`].
pub const VERSIONS_KEPT: u64 = 10;
/// How often a publisher starts again when another one was faster.
pub const ATTEMPTS_MAX: u32 = 5;

/// What [`publish`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new version serves.
    Published {
        /// What serves now.
        head: SnapshotHead,
        /// Findings that are no errors.
        warnings: Vec<Diagnostic>,
    },
    /// The content is the one that serves already; nothing was written, but for chunks that were broken.
    Unchanged {
        /// What serves.
        head: SnapshotHead,
        /// Whether broken chunks were written anew.
        healed: bool,
        /// Findings that are no errors.
        warnings: Vec<Diagnostic>,
    },
    /// The configuration has errors; what served before goes on serving.
    Refused {
        /// Every finding.
        diagnostics: Vec<Diagnostic>,
    },
    /// A `faregate apply` is at work; it will publish itself.
    Locked(ApplyLock),
}

/// Why nothing could be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The table does not do what it is asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Other publishers were faster each time.
    #[error("other publishers were faster {ATTEMPTS_MAX} times in a row")]
    Contended,
    /// The content cannot be packed.
    #[error(transparent)]
    Pack(#[from] CorruptSnapshot),
}

/// Who publishes, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublishOptions<'a> {
    /// What the check depends on.
    pub check: CheckOptions,
    /// The holder of the apply lock that this publisher may ignore: its own.
    pub lock_holder: Option<&'a str>,
}

/// Publishes what the Config table holds.
///
/// # Errors
///
/// [`PublishError`]; nothing that served before is lost.
pub async fn publish(
    store: &dyn ConfigStore,
    clock: &dyn Clock,
    options: PublishOptions<'_>,
) -> Result<Outcome, PublishError> {
    let mut in_vain = Vec::new();
    let outcome = attempt(store, clock, options, &mut in_vain).await;
    // What is left behind costs a few kilobytes, and the next such publishing of the same content finds it useful.
    if let Err(error) = sweep(store, &in_vain).await {
        tracing::warn!(%error, "chunks that no version names could not be deleted");
    }
    outcome
}

/// Publishes, and notes the hashes of chunks that were written for a flip which another publisher prevented.
async fn attempt(
    store: &dyn ConfigStore,
    clock: &dyn Clock,
    options: PublishOptions<'_>,
    in_vain: &mut Vec<String>,
) -> Result<Outcome, PublishError> {
    for _ in 0..ATTEMPTS_MAX {
        let (current, expected) = read_current(store).await?;
        let stored = store.entries().await?;
        // An apply may have begun while the entries were read, and they may hold half of it.
        if let Some(lock) = foreign_lock(store, clock, options).await? {
            return Ok(Outcome::Locked(lock));
        }
        let checked = check_stored(&stored, options.check);
        let Some(document) = checked.document else {
            // What is newer was published from entries that had been mended after they were read here.
            let (newest, _) = read_current(store).await?;
            if version_of(newest.as_ref()) > version_of(current.as_ref()) {
                continue;
            }
            put_status(store, clock, current.as_ref(), true, &checked.diagnostics).await?;
            return Ok(Outcome::Refused { diagnostics: checked.diagnostics });
        };
        let packed = pack(&document)?;
        // The same content in another number of chunks, as another build packs it, is published anew: its chunks
        // cannot be mended under the old head.
        let same = |head: &&SnapshotHead| {
            head.hash == packed.hash && head.format == FORMAT && head.chunks == packed.chunks.len()
        };
        if let Some(head) = current.as_ref().filter(same) {
            let healed = heal(store, head, &packed).await?;
            put_status(store, clock, Some(head), false, &checked.diagnostics).await?;
            return Ok(Outcome::Unchanged { head: head.clone(), healed, warnings: checked.diagnostics });
        }
        if let Some(head) = flip(store, clock, expected, &packed).await? {
            prune(store, &head).await?;
            // Another publisher's pruning may have taken chunks of content that was old until now.
            heal(store, &head, &packed).await?;
            put_status(store, clock, Some(&head), false, &checked.diagnostics).await?;
            return Ok(Outcome::Published { head, warnings: checked.diagnostics });
        }
        in_vain.push(packed.hash);
    }
    Err(PublishError::Contended)
}

/// Checks stored items as a whole configuration.
#[must_use]
pub fn check_stored(stored: &[StoredEntry], options: CheckOptions) -> Checked {
    let mut report = Report::default();
    let entries: Vec<Entry> = stored.iter().filter_map(|item| entry_of(item, &mut report)).collect();
    check(&entries, options, report)
}

fn entry_of(item: &StoredEntry, report: &mut Report) -> Option<Entry> {
    let kind = known_kind(&item.kind, &item.id, report)?;
    if kind == Kind::Settings && item.id != SETTINGS_ID {
        let mut place = report.entry(&item.kind, &item.id);
        place.error(codes::INVALID_VALUE, format!("the one settings entry has the id `{SETTINGS_ID}`"));
        return None;
    }
    match &item.fields {
        Ok(fields) => Some(Entry { kind, id: item.id.clone(), fields: fields.clone() }),
        Err(cause) => {
            report.entry(&item.kind, &item.id).error(codes::MALFORMED, cause);
            None
        }
    }
}

/// The current head, and what a flip may replace.
async fn read_current(store: &dyn ConfigStore) -> Result<(Option<SnapshotHead>, Expected), StoreError> {
    match store.current(true).await {
        Ok(Some(head)) => {
            let expected = Expected::Version(head.version);
            Ok((Some(head), expected))
        }
        Ok(None) => Ok((None, Expected::Absent)),
        Err(StoreError::Malformed(_)) => Ok((None, Expected::Unreadable)),
        Err(error) => Err(error),
    }
}

fn version_of(head: Option<&SnapshotHead>) -> Option<u64> {
    head.map(|head| head.version)
}

/// An item that somebody damaged counts as none: what is written next replaces it.
fn readable<T>(answer: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match answer {
        Err(StoreError::Malformed(_)) => Ok(None),
        answer => answer,
    }
}

async fn foreign_lock(
    store: &dyn ConfigStore,
    clock: &dyn Clock,
    options: PublishOptions<'_>,
) -> Result<Option<ApplyLock>, StoreError> {
    let lock = readable(store.lock().await)?;
    Ok(lock.filter(|lock| lock.expires_at > clock.now() && Some(lock.holder.as_str()) != options.lock_holder))
}

/// Writes the chunks, then makes them current; `None` where another publisher was faster.
async fn flip(
    store: &dyn ConfigStore,
    clock: &dyn Clock,
    expected: Expected,
    packed: &Packed,
) -> Result<Option<SnapshotHead>, StoreError> {
    write_chunks(store, packed).await?;
    // Without a current one, versions still rise above all that were.
    let newest = store.heads().await?.first().map_or(0, |head| head.version);
    let before = if let Expected::Version(version) = expected { version } else { 0 };
    let head = SnapshotHead {
        version: before.max(newest) + 1,
        hash: packed.hash.clone(),
        format: FORMAT,
        chunks: packed.chunks.len(),
        published_at: clock.now(),
    };
    match store.flip(&head, expected).await? {
        Flip::Done => Ok(Some(head)),
        Flip::Conflict => Ok(None),
    }
}

async fn write_chunks(store: &dyn ConfigStore, packed: &Packed) -> Result<(), StoreError> {
    for (number, chunk) in packed.chunks.iter().enumerate() {
        store.put_chunk(&packed.hash, number, chunk.clone()).await?;
    }
    Ok(())
}

/// Writes chunks anew that are gone or broken, so that the schedule mends what somebody damaged.
async fn heal(store: &dyn ConfigStore, head: &SnapshotHead, packed: &Packed) -> Result<bool, PublishError> {
    let is_whole = async || Ok::<_, StoreError>(unpack(head, &store.chunks(&head.hash).await?).is_ok());
    if is_whole().await? {
        return Ok(false);
    }
    // Over what is there: whoever is stopped halfway leaves no less than he found.
    write_chunks(store, packed).await?;
    if !is_whole().await? {
        // Beside all that belong there are others.
        store.delete_chunks(&packed.hash).await?;
        write_chunks(store, packed).await?;
    }
    Ok(true)
}

/// Deletes chunks of one's own that no version came to name. A publisher that is about to name the same content finds
/// them gone after its flip, and heals them.
async fn sweep(store: &dyn ConfigStore, in_vain: &[String]) -> Result<(), StoreError> {
    if in_vain.is_empty() {
        return Ok(());
    }
    let named = store.heads().await?;
    for hash in in_vain.iter().filter(|hash| named.iter().all(|head| head.hash != **hash)) {
        store.delete_chunks(hash).await?;
    }
    Ok(())
}

/// Deletes versions beyond the kept ones, and chunks that no kept version names.
async fn prune(store: &dyn ConfigStore, head: &SnapshotHead) -> Result<(), StoreError> {
    let heads = store.heads().await?;
    let (kept, dropped): (Vec<_>, Vec<_>) =
        heads.into_iter().partition(|old| old.version + VERSIONS_KEPT > head.version);
    for old in &dropped {
        let still_named = kept.iter().any(|kept| kept.hash == old.hash) || head.hash == old.hash;
        if !still_named {
            store.delete_chunks(&old.hash).await?;
        }
        store.delete_head(old.version).await?;
    }
    Ok(())
}

/// Replaces the status item if it would say something else.
async fn put_status(
    store: &dyn ConfigStore,
    clock: &dyn Clock,
    head: Option<&SnapshotHead>,
    refused: bool,
    diagnostics: &[Diagnostic],
) -> Result<(), StoreError> {
    let status = Status {
        version: version_of(head),
        time: clock.now(),
        refused,
        diagnostics: diagnostics.iter().take(DIAGNOSTICS_KEPT).cloned().map(Diagnostic::shortened).collect(),
        count: diagnostics.len(),
    };
    let before = readable(store.status().await)?;
    let same = before.is_some_and(|before| Status { time: status.time, ..before } == status);
    if same { Ok(()) } else { store.put_status(&status).await }
}
