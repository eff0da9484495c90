//! `faregate status`.

use clap::Args;
use faregate_core::{diagnostic::Diagnostic, time::Timestamp};
use faregate_engine::{
    ports::{ApplyLock, StoreError},
    published::{SnapshotHead, Status as PublisherStatus},
};
use serde::Serialize;

use crate::{
    error::{CliError, Exit},
    findings,
    output::{Answer, Lines, Output},
    stores::Stores,
    time::show,
};

/// Show which version serves, which are kept, and what the publisher last found
#[derive(Args, Debug)]
pub(crate) struct Status {}

#[derive(Serialize)]
struct Overview {
    /// The version that serves.
    current: Option<Version>,
    /// Every kept version, newest first.
    versions: Vec<Version>,
    publisher: Option<Publisher>,
    /// Who applies at present.
    lock: Option<Lock>,
    /// Which of these are there and cannot be read.
    unreadable: Vec<Unreadable>,
}

#[derive(Serialize)]
struct Version {
    version: u64,
    published_at: String,
    hash: String,
}

#[derive(Serialize)]
struct Publisher {
    /// When it looked.
    time: String,
    /// Whether the configuration in the table is refused.
    refused: bool,
    /// How many findings there are.
    count: usize,
    /// The first of them.
    diagnostics: Vec<Diagnostic>,
}

#[derive(Serialize)]
struct Lock {
    holder: String,
    expires_at: String,
}

#[derive(Serialize)]
struct Unreadable {
    /// The member of [`Overview`] that is absent because of it.
    member: &'static str,
    /// The item, and what is wrong with it.
    cause: String,
}

impl Status {
    /// Reads the Config table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let config = &stores.config;
        let mut unreadable = Vec::new();
        let overview = Overview {
            current: readable("current", config.current(true).await, &mut unreadable)?.as_ref().map(Version::of),
            versions: config.heads().await?.iter().map(Version::of).collect(),
            publisher: readable("publisher", config.status().await, &mut unreadable)?.map(Publisher::of),
            lock: readable("lock", config.lock().await, &mut unreadable)?
                .and_then(|lock| Lock::of(lock, stores.clock.now())),
            unreadable,
        };
        if overview.publisher.as_ref().is_some_and(|publisher| publisher.refused) {
            return output.answer_but(&overview, &CliError::refused("the publisher refuses the stored configuration"));
        }
        output.answer(&overview)?;
        Ok(Exit::Done)
    }
}

/// What an item says; one that somebody damaged is noted and hides none of the others.
fn readable<T>(
    member: &'static str,
    answer: Result<Option<T>, StoreError>,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Option<T>, StoreError> {
    match answer {
        Err(StoreError::Malformed(cause)) => {
            unreadable.push(Unreadable { member, cause });
            Ok(None)
        }
        answer => answer,
    }
}

impl Version {
    fn of(head: &SnapshotHead) -> Self {
        Self { version: head.version, published_at: show(head.published_at), hash: head.hash.clone() }
    }
}

impl Publisher {
    fn of(status: PublisherStatus) -> Self {
        let PublisherStatus { time, refused, count, diagnostics, .. } = status;
        Self { time: show(time), refused, count, diagnostics }
    }
}

impl Lock {
    fn of(lock: ApplyLock, now: Timestamp) -> Option<Self> {
        let counts = lock.expires_at > now;
        counts.then(|| Self { expires_at: show(lock.expires_at), holder: lock.holder })
    }
}

impl Overview {
    fn is_unreadable(&self, member: &str) -> bool {
        self.unreadable.iter().any(|one| one.member == member)
    }
}

impl Answer for Overview {
    fn say(&self, lines: &mut Lines) {
        match &self.current {
            Some(current) => lines.add(format!("version {} serves", current.version)),
            None if self.is_unreadable("current") => {}
            None => lines.add("no version serves: nothing is published yet"),
        }
        for Version { version, published_at, hash } in &self.versions {
            let short = hash.chars().take(12).collect::<String>();
            lines.add(format!("  {version:>6}  {published_at}  {short}"));
        }
        match &self.publisher {
            None if self.is_unreadable("publisher") => {}
            None => lines.add("the publisher has not looked yet"),
            Some(publisher) => {
                let verdict = if publisher.refused { "refuses" } else { "accepts" };
                let count = findings::number(publisher.count, "finding");
                lines.add(format!("the publisher {verdict} the configuration as of {}; {count}", publisher.time));
                findings::say(&publisher.diagnostics, lines);
                if publisher.diagnostics.len() < publisher.count {
                    lines.add(format!("… and {} more", publisher.count - publisher.diagnostics.len()));
                }
            }
        }
        if let Some(Lock { holder, expires_at }) = &self.lock {
            lines.add(format!("{holder} is applying a change; its lock ends at {expires_at}"));
        }
        for Unreadable { cause, .. } in &self.unreadable {
            lines.add(format!("an item cannot be read: {cause}"));
        }
    }
}
