//! A whole gateway on this machine: DynamoDB, a published document, the real binary under the driver.

mod error;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use faregate_aws::{AwsConfig, DynamoConfigStore, DynamoKeyStore, Patience};
use faregate_core::{
    check::{CheckOptions, entries_of_file},
    diagnostic::Report,
    document::Entry,
};
use faregate_engine::{
    ports::Clock,
    publish::{self, Applied, ApplyOptions, Outcome, PublishError, PublishOptions},
};
use faregate_testing::{
    driver::{Driver, DriverBuilder},
    dynamodb::{EmbeddedDynamoDb, TableNames},
};
use http::{Request, Response};
use hyper::body::Incoming;
use serde_json::Value;

pub use error::StackError;

use super::{
    binary::binary,
    client::{self, Answer, SendError},
    clock::MachineClock,
    event,
};

/// What every check of a document depends on here.
const CHECK: CheckOptions = CheckOptions { allow_inline_secrets: true };

/// A gateway, all its own: nothing is shared with another stack, so tests may run at once.
///
/// Dropping it ends the processes, the listeners and the database.
#[derive(Debug)]
pub struct Stack {
    driver: Driver,
    stores: Stores,
}

/// The tables of a stack and what reaches them, without a gateway.
#[derive(Debug)]
pub struct Stores {
    dynamodb: EmbeddedDynamoDb,
    tables: TableNames,
    config: DynamoConfigStore,
    keys: DynamoKeyStore,
    clock: Arc<MachineClock>,
    applied: AtomicU64,
}

impl Stack {
    /// Publishes `document`, the value of a `faregate.yaml`, and starts one gateway environment.
    ///
    /// # Errors
    ///
    /// [`StackError`] with everything that there is to know.
    pub async fn start(document: &Value) -> Result<Self, StackError> {
        Self::start_with(document, |driver| driver).await
    }

    /// As [`Stack::start`]; `configure` sets environments, variables, time-outs of the driver.
    ///
    /// # Errors
    ///
    /// As [`Stack::start`].
    pub async fn start_with(
        document: &Value,
        configure: impl FnOnce(DriverBuilder) -> DriverBuilder,
    ) -> Result<Self, StackError> {
        let stores = Stores::start().await?;
        stores.apply(document).await?;
        let driver = configure(stores.gateway()?).start().await?;
        Ok(Self { driver, stores })
    }

    /// The driver: its function URL, environments, invocations and log.
    #[must_use]
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// The tables.
    #[must_use]
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// The tables, to take DynamoDB down and up again.
    pub fn stores_mut(&mut self) -> &mut Stores {
        &mut self.stores
    }

    /// Sends a request to the function URL and takes the whole answer.
    ///
    /// # Errors
    ///
    /// [`SendError`] where no whole answer came.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Answer, SendError> {
        client::send(self.driver.address(), request).await
    }

    /// Sends a request to the function URL; the answer's body is still to come, frame by frame.
    ///
    /// # Errors
    ///
    /// [`SendError`] where no answer began.
    pub async fn open(&self, request: Request<Bytes>) -> Result<Response<Incoming>, SendError> {
        client::open(self.driver.address(), request).await
    }

    /// Invokes the function with the event of a request that came by `scheme`; the function URL itself only
    /// knows `https`.
    ///
    /// # Errors
    ///
    /// [`SendError`] where no whole answer came.
    pub async fn send_by(&self, scheme: &str, request: Request<Bytes>) -> Result<Answer, SendError> {
        let invoked = self.driver.invoke(&event::payload(&request, scheme)).await;
        event::answer(&invoked.map_err(|error| SendError::NoAnswer(error.to_string()))?)
    }
}

impl Stores {
    /// Starts a database in memory and makes the tables.
    ///
    /// # Errors
    ///
    /// [`StackError`] for whatever went wrong.
    pub async fn start() -> Result<Self, StackError> {
        let dynamodb = EmbeddedDynamoDb::start().await?;
        let tables = TableNames::with_prefix("tests");
        dynamodb.create_tables(&tables).await?;
        let clock = Arc::new(MachineClock::default());
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let aws = AwsConfig::for_local_stack(&dynamodb.endpoint(), shared, Patience::Background).await;
        let config = DynamoConfigStore::new(&aws, tables.config.clone());
        let keys = DynamoKeyStore::new(&aws, tables.keys.clone());
        Ok(Self { dynamodb, tables, config, keys, clock, applied: AtomicU64::new(0) })
    }

    /// A driver of the `gateway` binary over these tables, ready to start; any number may run at once.
    ///
    /// # Errors
    ///
    /// [`StackError::Binary`] if it was not built.
    pub fn gateway(&self) -> Result<DriverBuilder, StackError> {
        Ok(self.function("gateway")?.env("FAREGATE_ALLOW_LOOPBACK", "1").env("FAREGATE_ALLOW_INLINE_SECRETS", "1"))
    }

    /// A driver of any function binary of the project over these tables.
    ///
    /// # Errors
    ///
    /// [`StackError::Binary`] if it was not built.
    pub fn function(&self, name: &str) -> Result<DriverBuilder, StackError> {
        Ok(Driver::builder(binary(name)?)
            .function_name(name)
            .env("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.endpoint())
            // Nobody takes metrics there, but it is on this machine.
            .env("AWS_ENDPOINT_URL_CLOUDWATCH", self.dynamodb.endpoint())
            .env("FAREGATE_CONFIG_TABLE", &self.tables.config)
            .env("FAREGATE_KEYS_TABLE", &self.tables.keys)
            .env("FAREGATE_USAGE_TABLE", &self.tables.usage))
    }

    /// Replaces the whole configuration by `document`, as `faregate apply --prune` does, and publishes it.
    ///
    /// # Errors
    ///
    /// [`StackError::Refused`] with every diagnostic for a document with mistakes.
    pub async fn apply(&self, document: &Value) -> Result<Applied, StackError> {
        let entries = entries(document)?;
        let holder = format!("tests-{}", self.applied.fetch_add(1, Ordering::Relaxed));
        let options = ApplyOptions { prune: true, confirmed: None, holder: &holder, check: CHECK };
        Ok(publish::apply(&self.config, &*self.clock, &entries, options).await?)
    }

    /// Publishes what the Config table holds, as the publisher function does.
    ///
    /// # Errors
    ///
    /// [`PublishError`] where the table does not do what it is asked.
    pub async fn publish(&self) -> Result<Outcome, PublishError> {
        let options = PublishOptions { check: CHECK, lock_holder: None };
        publish::publish(&self.config, &*self.clock, options).await
    }

    /// The database: raw items, outages.
    #[must_use]
    pub fn dynamodb(&self) -> &EmbeddedDynamoDb {
        &self.dynamodb
    }

    /// The database, to take it down and up again.
    pub fn dynamodb_mut(&mut self) -> &mut EmbeddedDynamoDb {
        &mut self.dynamodb
    }

    /// What the tables are called.
    #[must_use]
    pub fn tables(&self) -> &TableNames {
        &self.tables
    }

    /// The Config table.
    #[must_use]
    pub fn config(&self) -> &DynamoConfigStore {
        &self.config
    }

    /// The Keys table.
    #[must_use]
    pub fn keys(&self) -> &DynamoKeyStore {
        &self.keys
    }
}

/// The entries of a document; a value that is none is refused like one with mistakes.
fn entries(document: &Value) -> Result<Vec<Entry>, StackError> {
    let mut report = Report::default();
    let entries = entries_of_file(document, &mut report);
    if report.has_errors() {
        return Err(StackError::Refused(report.into_diagnostics()));
    }
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}
