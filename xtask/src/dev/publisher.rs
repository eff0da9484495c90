//! The publisher function, called as Lambda would: by the stream, and by the schedule.

use std::{path::Path, pin::pin, time::Duration};

use faregate_testing::{
    driver::{Driver, Ending},
    dynamodb::EmbeddedDynamoDb,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    environment::StackEnvironment,
    log::{Log, Logs},
    stream::ConfigStream,
};
use crate::failure::Failure;

/// The template's `MaximumBatchingWindowInSeconds`.
const WINDOW: Duration = Duration::from_secs(1);

/// The template's `Schedule`.
const SCHEDULE: Duration = Duration::from_secs(5 * 60);

/// The template's `MaximumRetryAttempts`, and the first try.
const ATTEMPTS: u32 = 4;

/// The template's `Timeout` and `MemorySize`.
const TIMEOUT: Duration = Duration::from_secs(60);
const MEMORY_MB: u32 = 512;

/// How the publisher's message begins while it waits for the end of an apply.
const WAITING: &str = "waiting for an apply";

/// The running function and its place in the stream.
#[derive(Debug)]
pub(super) struct Publisher {
    driver: Driver,
    stream: ConfigStream,
    log: Log,
    /// Lines of the function's that are in the log.
    logged: usize,
    /// Whether the last configuration was refused.
    refused: bool,
}

impl Publisher {
    /// Starts the function.
    pub(super) async fn start(
        binary: &Path,
        environment: &StackEnvironment,
        database: &EmbeddedDynamoDb,
        logs: &Logs,
    ) -> Result<Self, Failure> {
        let log = logs.begin("publisher")?;
        let stream = ConfigStream::open(database).await?;
        let mut builder = Driver::builder(binary).function_name("publisher").timeout(TIMEOUT).memory_mb(MEMORY_MB);
        for (name, value) in environment.operator() {
            builder = builder.env(name, value);
        }
        let driver = builder.start().await.map_err(Failure::because("the publisher does not start"))?;
        Ok(Self { driver, stream, log, logged: 0, refused: false })
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
            let answer = {
                let mut invocation = pin!(self.driver.invoke(event));
                loop {
                    tokio::select! {
                        answer = &mut invocation => break answer,
                        () = sleep(WINDOW) => {
                            let new = keep_log(&self.driver, &mut self.log, &mut self.logged);
                            new.iter().filter_map(|line| waiting(line)).for_each(|told| println!("{told}"));
                        }
                    }
                }
            };
            self.keep_log();
            let answer = answer.map_err(|error| self.log.failure(&format!("the publisher failed: {error}")))?;
            match answer.ending {
                Ending::Complete => {
                    self.tell(&answer.json().unwrap_or_default());
                    return Ok(());
                }
                Ending::Reported(report) => println!("the publisher reports an error: {report}"),
                Ending::Failed(_) | Ending::Broken(_) => println!("the publisher broke off its answer"),
            }
            sleep(WINDOW).await;
        }
        Ok(())
    }

    /// Says on the terminal what came of an edit.
    fn tell(&mut self, answer: &Value) {
        if let Some(line) = outcome(answer, self.refused) {
            println!("{line}");
        }
        self.refused = answer["refused"].is_u64();
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
        keep_log(&self.driver, &mut self.log, &mut self.logged);
    }
}

/// Puts the function's lines that are not there yet into the log; yields them.
fn keep_log(driver: &Driver, log: &mut Log, logged: &mut usize) -> Vec<String> {
    let new: Vec<String> = driver.log_lines().into_iter().skip(*logged).map(|line| line.text).collect();
    new.iter().for_each(|line| log.line(line));
    *logged += new.len();
    new
}

/// What a line of the function's says of an apply that it waits for.
fn waiting(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let message = line["message"].as_str()?;
    message.starts_with(WAITING).then(|| format!("the publisher is {message}"))
}

/// What the publisher's answer says, if it says anything new.
fn outcome(answer: &Value, was_refused: bool) -> Option<String> {
    let number = |name: &str| answer[name].as_u64();
    if let Some(mistakes) = number("refused") {
        let noun = if mistakes == 1 { "mistake" } else { "mistakes" };
        return Some(format!(
            "refused: {mistakes} {noun}, named by `faregate status`; the last good version goes on serving"
        ));
    }
    if let Some(version) = number("published") {
        return Some(format!("published: version {version}"));
    }
    let version = number("unchanged").filter(|_| was_refused)?;
    Some(format!("no mistakes any more: version {version}"))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{outcome, waiting};

    #[test]
    fn the_terminal_shows_what_came_of_an_edit() {
        assert_eq!(outcome(&json!({ "published": 7 }), false).as_deref(), Some("published: version 7"));
        assert!(outcome(&json!({ "refused": 1 }), false).is_some_and(|line| line.starts_with("refused: 1 mistake,")));
        assert_eq!(outcome(&json!({ "unchanged": 7, "healed": false }), false), None);
        assert!(outcome(&json!({ "unchanged": 7, "healed": false }), true).is_some());
    }

    #[test]
    fn the_terminal_shows_that_an_apply_is_waited_for() {
        let line =
            json!({"level": "WARN", "message": "waiting for an apply, which holds the lock until noon"}).to_string();
        let told = waiting(&line);
        assert_eq!(told.as_deref(), Some("the publisher is waiting for an apply, which holds the lock until noon"));
        assert_eq!((waiting(r#"{"message":"another"}"#), waiting("no JSON")), (None, None));
    }
}
