//! The connection pools, and when they are thrown away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use faregate_core::time::Timestamp;
use faregate_engine::ports::Clock;
use http_body_util::Full;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::connect::Connector;
use crate::guard::Guard;
use crate::tls::Tls;

/// How long a connection may lie idle.
const IDLE: Duration = Duration::from_secs(20);
/// Idle connections for one scheme and authority.
const IDLE_PER_HOST_MAX: usize = 64;
/// A response's header section, and what HTTP/1.1 buffers of a connection at once.
pub(crate) const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Lines in a response's header section over HTTP/1.1; room for so many is made for each response.
pub(crate) const HEADER_LINES_MAX: usize = 256;
/// What an HTTP/2 backend may send ahead of the reader: on one stream, and on all of a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

pub(crate) type HyperClient = Client<Connector, Full<Bytes>>;

/// Two pools of one TLS identity.
pub(crate) struct Clients {
    /// HTTP/2 where the backend speaks it.
    pub(crate) any: HyperClient,
    /// HTTP/1.1 only: where `host` is not the URL's own, because hyper's HTTP/2 always takes `:authority` from
    /// the URL and would send both.
    pub(crate) http1: HyperClient,
}

/// The current pools.
///
/// The pool's own timer is monotonic and stands still while an execution environment is frozen, so the wall
/// clock decides here: pools that were last used more than 20 s ago are dropped with their connections.
pub(crate) struct Pools {
    guard: Arc<Guard>,
    tls: Tls,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    clients: Arc<Clients>,
    last_use: Timestamp,
}

impl Pools {
    pub(crate) fn new(guard: Arc<Guard>, tls: Tls, clock: Arc<dyn Clock>) -> Self {
        let state = State { clients: build(&guard, &tls), last_use: clock.now() };
        Self { guard, tls, clock, state: Mutex::new(state) }
    }

    /// The pools to send the next request with.
    pub(crate) fn current(&self) -> Arc<Clients> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back says nothing about how long it has been.
        if now < state.last_use || now.since(state.last_use) > IDLE {
            state.clients = build(&self.guard, &self.tls);
        }
        state.last_use = now;
        Arc::clone(&state.clients)
    }

    /// Drops all idle connections; those in use end with their exchange.
    pub(crate) fn forget_idle(&self) {
        let fresh = build(&self.guard, &self.tls);
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clients = fresh;
    }
}

fn build(guard: &Arc<Guard>, tls: &Tls) -> Arc<Clients> {
    let builder = builder();
    Arc::new(Clients {
        any: builder.build(Connector::new(Arc::clone(guard), Arc::clone(&tls.any))),
        http1: builder.build(Connector::new(Arc::clone(guard), Arc::clone(&tls.http1))),
    })
}

fn builder() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        // A request that finds its pooled connection closed, before a byte of it is written, is given another
        // connection. Backends close idle connections while the environment is frozen, and that is seen only
        // after the request was queued; nothing is ever sent twice.
        .retry_canceled_requests(true)
        .http1_max_buf_size(HEADER_BYTES_MAX)
        // hyper's own bound is 100, which cookies and `link` can pass.
        .http1_max_headers(HEADER_LINES_MAX)
        .http2_max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW);
    builder
}
