//! `faregate status`.

use clap::Args;
use faregate_core::{diagnostic::Diagnostic, time::Timestamp};
use faregate_engine::{
    ports::ApplyLock,
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

impl Status {
    /// Reads the Config table.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let overview = Overview {
            current: stores.config.current(true).await?.as_ref().map(Version::of),
            versions: stores.config.heads().await?.iter().map(Version::of).collect(),
            publisher: stores.config.status().await?.map(Publisher::of),
            lock: stores.config.lock().await?.and_then(|lock| Lock::of(lock, stores.clock.now())),
        };
        if overview.publisher.as_ref().is_some_and(|publisher| publisher.refused) {
            return output.answer_but(&overview, &CliError::refused("the publisher refuses the stored configuration"));
        }
        output.answer(&overview)?;
        Ok(Exit::Done)
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

impl Answer for Overview {
    fn say(&self, lines: &mut Lines) {
        match &self.current {
            Some(current) => lines.add(format!("version {} serves", current.version)),
            None => lines.add("no version serves: nothing is published yet"),
        }
        for Version { version, published_at, hash } in &self.versions {
            let short = hash.chars().take(12).collect::<String>();
            lines.add(format!("  {version:>6}  {published_at}  {short}"));
        }
        match &self.publisher {
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
    }
}
