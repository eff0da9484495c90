//! DynamoDB in this process, with the tables of the template: for tests and for the local stack.
//!
//! It speaks DynamoDB's own HTTP protocol, so the real SDK talks to it. It can be taken down and brought up
//! again at the same address with everything kept, which is how an outage is tested.

mod front;
mod local;
mod tables;
mod template;
mod wire;

pub use local::{DynamoDbLocal, DynamoDbLocalError};
pub use tables::{TEMPLATE, TableNames};
pub use template::{InvalidTemplate, TableDefinition, tables_of_template};
pub use wire::CallError;

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use dynoxide::Database;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// Why the embedded DynamoDB did not start, or its tables could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The address is taken, or cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Only this machine may reach it: there is nobody to check signatures.
    #[error("{0} is no loopback address")]
    NotLoopback(SocketAddr),
    /// The data cannot be opened.
    #[error("the data cannot be opened: {0}")]
    Data(String),
    /// The template does not say what the tables are.
    #[error(transparent)]
    Template(#[from] InvalidTemplate),
    /// A table could not be made.
    #[error("table `{table}` cannot be made")]
    Table {
        /// The table's name.
        table: String,
        /// What DynamoDB said.
        #[source]
        source: CallError,
    },
}

/// A DynamoDB of one's own on 127.0.0.1; it ends when this value is dropped.
///
/// Signatures are not checked, any made-up credentials and any region will do.
#[derive(Debug)]
pub struct EmbeddedDynamoDb {
    address: SocketAddr,
    inner: SocketAddr,
    server: JoinHandle<()>,
    front: Option<JoinHandle<()>>,
}

impl EmbeddedDynamoDb {
    /// Starts one in memory at a free port.
    ///
    /// # Errors
    ///
    /// [`DynamoDbError`] when no port can be opened.
    pub async fn start() -> Result<Self, DynamoDbError> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).await
    }

    /// Starts one at an address of this machine; port 0 is any free one. With a file the data is kept there,
    /// else in memory.
    ///
    /// # Errors
    ///
    /// [`DynamoDbError`] when the address is not this machine's own or taken, or the file cannot be opened.
    pub async fn start_at(address: SocketAddr, data: Option<&Path>) -> Result<Self, DynamoDbError> {
        if !address.ip().is_loopback() {
            return Err(DynamoDbError::NotLoopback(address));
        }
        let listener = listen(address).await?;
        let address = local_address(&listener, address)?;
        let database = open(data)?;
        let (inner_listener, inner) = listen_hidden().await?;
        let server = tokio::spawn(dynoxide::server::serve_on(inner_listener, database));
        let front = Some(tokio::spawn(front::serve(listener, inner)));
        Ok(Self { address, inner, server, front })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL: the value for `AWS_ENDPOINT_URL_DYNAMODB`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes the tables of [`TEMPLATE`] under these names; those that exist already stay as they are.
    ///
    /// # Errors
    ///
    /// [`DynamoDbError`] when one cannot be made.
    pub async fn create_tables(&self, names: &TableNames) -> Result<(), DynamoDbError> {
        tables::create_all(self.inner, names).await
    }

    /// Asks for an operation in DynamoDB's own JSON, such as `PutItem` or (of streams) `GetRecords`; works
    /// also while it is stopped.
    ///
    /// # Errors
    ///
    /// [`CallError`] with DynamoDB's own words.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Value, CallError> {
        wire::call(self.inner, operation, body).await
    }

    /// Takes it down: connections break off and new ones are refused. The data stays.
    pub async fn stop(&mut self) {
        if let Some(front) = self.front.take() {
            front.abort();
            // The listener is closed when the task has ended; that it was aborted is no news.
            let _ = front.await;
        }
    }

    /// Brings it up again at the same address; nothing happens if it is up.
    ///
    /// # Errors
    ///
    /// [`DynamoDbError::Listen`] when somebody else took the port meanwhile.
    pub async fn restart(&mut self) -> Result<(), DynamoDbError> {
        if self.front.is_none() {
            let listener = listen(self.address).await?;
            self.front = Some(tokio::spawn(front::serve(listener, self.inner)));
        }
        Ok(())
    }
}

impl Drop for EmbeddedDynamoDb {
    fn drop(&mut self) {
        self.server.abort();
        if let Some(front) = &self.front {
            front.abort();
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, DynamoDbError> {
    TcpListener::bind(address).await.map_err(|source| DynamoDbError::Listen { address, source })
}

/// Listens where no web page finds it: the database behind the front answers browsers. On Linux all of 127/8 is this
/// machine, and an address of it with a port has some forty bits; elsewhere the port alone must do.
async fn listen_hidden() -> Result<(TcpListener, SocketAddr), DynamoDbError> {
    let [a, b, c, ..] = RandomState::new().build_hasher().finish().to_be_bytes();
    let hidden = SocketAddr::from((Ipv4Addr::new(127, a.max(1), b, c), 0));
    let known = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (listener, asked) = match listen(hidden).await {
        Ok(listener) => (listener, hidden),
        Err(_) => (listen(known).await?, known),
    };
    let address = local_address(&listener, asked)?;
    Ok((listener, address))
}

fn local_address(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, DynamoDbError> {
    listener.local_addr().map_err(|source| DynamoDbError::Listen { address: asked, source })
}

fn open(data: Option<&Path>) -> Result<Database, DynamoDbError> {
    let database = match data {
        None => Database::memory(),
        Some(path) => Database::new(&path.to_string_lossy()),
    };
    database.map_err(|error| DynamoDbError::Data(error.to_string()))
}
