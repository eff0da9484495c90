//! How a driver is described and started.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::dispatch::{Dispatcher, NotReady, Rules};
use super::front::Front;
use super::log::Log;
use super::process::Launch;
use super::runtime_api::{FunctionIdentity, RuntimeApi};
use super::{Driver, DriverError, server};

const REGION: &str = "us-east-1";
const FUNCTION_VERSION: &str = "$LATEST";
const HANDLER: &str = "bootstrap";

/// A driver yet to be started: see [`Driver::builder`].
#[derive(Debug, Clone)]
pub struct DriverBuilder {
    binary: PathBuf,
    variables: Vec<(String, String)>,
    environments: usize,
    concurrency: usize,
    extensions: bool,
    restart: bool,
    timeout: Duration,
    function_name: String,
    memory_mb: u32,
}

impl DriverBuilder {
    /// Invocation records that a driver keeps; the oldest are forgotten.
    pub const RECORDS_MAX: usize = 65_536;

    pub(crate) fn new(binary: PathBuf) -> Self {
        Self {
            binary,
            variables: Vec::new(),
            environments: 1,
            concurrency: 1,
            extensions: true,
            restart: false,
            timeout: Duration::from_secs(30),
            function_name: "function".to_owned(),
            memory_mb: 256,
        }
    }

    /// Sets an environment variable of the processes. They inherit none but `PATH`; Lambda's own
    /// are set and can be set otherwise here. The region, `us-east-1`, is also that of the events.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// How many processes to start, at least 1. Default 1.
    #[must_use]
    pub fn environments(mut self, count: usize) -> Self {
        self.environments = count.max(1);
        self
    }

    /// Invocations that one process may run at once, at least 1. Above 1 the process gets
    /// `AWS_LAMBDA_MAX_CONCURRENCY`. Default 1.
    #[must_use]
    pub fn concurrency(mut self, count: usize) -> Self {
        self.concurrency = count.max(1);
        self
    }

    /// Whether there is an Extensions API; without one its paths answer 404. Default true.
    ///
    /// Unlike on Lambda an internal extension, too, may register for `SHUTDOWN`.
    #[must_use]
    pub fn extensions(mut self, present: bool) -> Self {
        self.extensions = present;
        self
    }

    /// Whether a process that ended is started again. Default false.
    #[must_use]
    pub fn restart(mut self, again: bool) -> Self {
        self.restart = again;
        self
    }

    /// Time that an invocation has, from the moment an environment gets it until the whole answer
    /// is posted; then its process is killed. Default 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// `AWS_LAMBDA_FUNCTION_NAME`. Default `function`.
    #[must_use]
    pub fn function_name(mut self, name: impl Into<String>) -> Self {
        self.function_name = name.into();
        self
    }

    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, a figure that is not enforced. Default 256.
    #[must_use]
    pub fn memory_mb(mut self, memory_mb: u32) -> Self {
        self.memory_mb = memory_mb;
        self
    }

    /// Starts the processes and waits until each has asked for its first invocation.
    ///
    /// # Errors
    /// If the binary cannot be executed, ends or reports an init error, or if a process has not
    /// asked within 20 s.
    pub async fn start(self) -> Result<Driver, DriverError> {
        let function = Arc::new(self.identity());
        let dispatcher = Arc::new(Dispatcher::new(Rules {
            concurrency: self.concurrency,
            timeout: self.timeout,
            records_max: Self::RECORDS_MAX,
            function_arn: function.arn.clone(),
        }));
        let log = Arc::new(Log::new());
        let (listener, address) = server::listen().await?;
        let mut tasks = JoinSet::new();
        for index in 0..self.environments {
            let api = RuntimeApi {
                environment: index,
                extensions: self.extensions,
                function: Arc::clone(&function),
                dispatcher: Arc::clone(&dispatcher),
            };
            self.start_environment(api, &log, &mut tasks).await?;
        }
        tasks.spawn(self.front(listener, address, &dispatcher));
        let deadlines = Arc::clone(&dispatcher);
        tasks.spawn(async move { deadlines.enforce_deadlines().await });
        for index in 0..self.environments {
            ready(&dispatcher, &log, index).await?;
        }
        Ok(Driver { dispatcher, log, address, _tasks: tasks })
    }

    async fn start_environment(
        &self,
        api: RuntimeApi,
        log: &Arc<Log>,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), DriverError> {
        let (listener, address) = server::listen().await?;
        let (commands, received) = mpsc::unbounded_channel();
        api.dispatcher.add_environment(commands);
        let launch = Launch {
            index: api.environment,
            binary: self.binary.clone(),
            variables: self.variables(api.environment, &address.to_string(), &api.function),
            restart: self.restart,
            dispatcher: Arc::clone(&api.dispatcher),
            log: Arc::clone(log),
        };
        tasks.spawn(server::serve(listener, move |_, request| api.clone().handle(request)));
        let child = launch.spawn()?;
        tasks.spawn(launch.supervise(child, received));
        Ok(())
    }

    fn front(
        &self,
        listener: TcpListener,
        address: std::net::SocketAddr,
        dispatcher: &Arc<Dispatcher>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let region = Arc::from(self.region());
        let front = Front { address, region, dispatcher: Arc::clone(dispatcher) };
        server::serve(listener, move |peer, request| front.clone().handle(peer, request))
    }

    fn identity(&self) -> FunctionIdentity {
        let name = &self.function_name;
        FunctionIdentity {
            name: name.clone(),
            version: FUNCTION_VERSION.to_owned(),
            arn: format!("arn:aws:lambda:{}:123456789012:function:{name}", self.region()),
            handler: HANDLER.to_owned(),
        }
    }

    fn region(&self) -> &str {
        let mut own = self.variables.iter().rev();
        own.find(|(name, _)| name == "AWS_REGION").map_or(REGION, |(_, value)| value)
    }

    /// The variables of one process; later ones override earlier ones.
    fn variables(&self, index: usize, runtime_api: &str, function: &FunctionIdentity) -> Vec<(String, String)> {
        let task_root = self.binary.parent().unwrap_or(Path::new("/")).to_string_lossy();
        let memory = self.memory_mb.to_string();
        let group = format!("/aws/lambda/{}", function.name);
        let stream = format!("driver/[{FUNCTION_VERSION}]{index:032x}");
        let path = inherited_path();
        let platform = [
            ("PATH", path.as_str()),
            ("LANG", "en_US.UTF-8"),
            ("TZ", ":UTC"),
            ("LAMBDA_TASK_ROOT", &task_root),
            ("_HANDLER", HANDLER),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", &function.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", FUNCTION_VERSION),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &group),
            ("AWS_LAMBDA_LOG_STREAM_NAME", &stream),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", self.region()),
            // Without credentials the SDK would look for some on the network.
            ("AWS_ACCESS_KEY_ID", "driver"),
            ("AWS_SECRET_ACCESS_KEY", "driver"),
            ("AWS_SESSION_TOKEN", "driver"),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut variables: Vec<_> = platform.into_iter().map(owned).collect();
        if self.concurrency > 1 {
            let name = "AWS_LAMBDA_MAX_CONCURRENCY".to_owned();
            variables.push((name, self.concurrency.to_string()));
        }
        variables.extend(self.variables.iter().cloned());
        variables
    }
}

async fn ready(dispatcher: &Dispatcher, log: &Log, index: usize) -> Result<(), DriverError> {
    let what = "the first /next of every environment";
    let Some(ready) = dispatcher.wait_until_ready(index).await else {
        return Err(DriverError::WaitedTooLong { what, log: log.text() });
    };
    let log = || log.of(index).join("\n");
    ready.map_err(|reason| match reason {
        NotReady::InitFailed(report) => DriverError::InitFailed { environment: index, report, log: log() },
        NotReady::Ended(status) => DriverError::EndedAtStart {
            environment: index,
            status: status.map_or_else(|| "unknown status".to_owned(), |one| one.to_string()),
            log: log(),
        },
    })
}

#[allow(clippy::disallowed_methods, reason = "the driver is a composition root of its own")]
fn inherited_path() -> String {
    std::env::var("PATH").unwrap_or_default()
}
