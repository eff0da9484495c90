//! The publisher function, called as Lambda would: by the stream, and by the schedule.

use std::{path::Path, time::Duration};

use faregate_testing::{
    driver::{Driver, Ending},
    dynamodb::EmbeddedDynamoDb,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{environment::StackEnvironment, log::Log, stream::ConfigStream};
use crate::{failure::Failure, workspace::Workspace};

/// The template's `MaximumBatchingWindowInSeconds`.
const WINDOW: Duration = Duration::from_secs(1);

/// The template's `Schedule`.
const SCHEDULE: Duration = Duration::from_secs(5 * 60);

/// The template's `MaximumRetryAttempts`, and the first try.
const ATTEMPTS: u32 = 4;

/// The template's `Timeout` and `MemorySize`.
const TIMEOUT: Duration = Duration::from_secs(60);
const MEMORY_MB: u32 = 512;

/// The running function and its place in the stream.
#[derive(Debug)]
pub(super) struct Publisher {
    driver: Driver,
    stream: ConfigStream,
    log: Log,
    /// Lines of the function's that are in the log.
    logged: usize,
}

impl Publisher {
    /// Starts the function.
    pub(super) async fn start(
        binary: &Path,
        environment: &StackEnvironment,
        database: &EmbeddedDynamoDb,
        workspace: &Workspace,
    ) -> Result<Self, Failure> {
        let log = Log::begin("publisher", workspace)?;
        let stream = ConfigStream::open(database).await?;
        let mut builder = Driver::builder(binary).function_name("publisher").timeout(TIMEOUT).memory_mb(MEMORY_MB);
        for (name, value) in environment.operator() {
            builder = builder.env(name, value);
        }
        let driver = builder.start().await.map_err(Failure::because("the publisher does not start"))?;
        Ok(Self { driver, stream, log, logged: 0 })
    }

    /// Calls the function at once, then whenever the stream or the schedule asks for it; returns when it cannot go on.
    pub(super) async fn follow(&mut self, database: &EmbeddedDynamoDb) -> Result<(), Failure> {
        let mut scheduled = Instant::now();
        loop {
            if scheduled <= Instant::now() {
                self.invoke(&schedule()).await?;
                scheduled += SCHEDULE;
            }
            if let Some(event) = self.stream.next(database).await? {
                self.invoke(&event).await?;
            }
            self.check()?;
            sleep(WINDOW).await;
        }
    }

    async fn invoke(&mut self, event: &Value) -> Result<(), Failure> {
        for _ in 0..ATTEMPTS {
            let answer = self.driver.invoke(event).await;
            self.keep_log();
            let answer = answer.map_err(|error| self.log.failure(&format!("the publisher failed: {error}")))?;
            match answer.ending {
                Ending::Complete => {
                    tell(&answer.json().unwrap_or_default());
                    return Ok(());
                }
                Ending::Reported(report) => println!("the publisher reports an error: {report}"),
                Ending::Failed(_) | Ending::Broken(_) => println!("the publisher broke off its answer"),
            }
            sleep(WINDOW).await;
        }
        Ok(())
    }

    /// Whether its process still runs.
    fn check(&mut self) -> Result<(), Failure> {
        let ended = self.driver.environments().into_iter().find(|environment| environment.exits > 0);
        let Some(ended) = ended else { return Ok(()) };
        self.keep_log();
        let status = ended.last_exit.map_or_else(String::new, |status| format!(" ({status})"));
        Err(self.log.failure(&format!("the publisher ended{status}")))
    }

    fn keep_log(&mut self) {
        let lines = self.driver.log_lines();
        lines.iter().skip(self.logged).for_each(|line| self.log.line(&line.text));
        self.logged = lines.len();
    }
}

/// What EventBridge sends for a rule with a schedule.
fn schedule() -> Value {
    json!({
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "1970-01-01T00:00:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:events:eu-central-1:123456789012:rule/faregate-local"],
        "detail": {},
    })
}

/// Says on the terminal what came of an edit.
fn tell(answer: &Value) {
    if let Some(version) = answer["published"].as_u64() {
        println!("published: version {version}");
    }
    if let Some(mistakes) = answer["refused"].as_u64() {
        println!("refused: {mistakes} mistake(s), the last good version goes on serving; `faregate status` names them");
    }
}
