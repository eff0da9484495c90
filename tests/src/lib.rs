//! The harness of the end-to-end and conformance tests: a whole gateway on this machine.
//!
//! Build the functions first, cargo does not do it for a test: `cargo build -p gateway`. Then a test is:
//!
//! ```no_run
//! # use bytes::Bytes;
//! # use faregate_tests::{Backend, Stack};
//! # use serde_json::json;
//! # async fn a_prefix_reaches_its_backend() {
//! let backend = Backend::echo("orders").await.expect("a backend");
//! let document = json!({
//!     "backends": [{ "id": "orders", "targets": [{ "url": backend.url() }] }],
//!     "routes": [{ "id": "orders", "match": [{ "path": { "prefix": "/orders" } }],
//!                  "authenticate": "anonymous", "forward": { "backend": "orders" } }],
//! });
//! let stack = Stack::start(&document).await.expect("a gateway");
//! let request = http::Request::get("/orders/7").header("host", "api.example").body(Bytes::new()).expect("a request");
//! let answer = stack.send(request).await.expect("an answer");
//! assert_eq!((answer.status.as_u16(), &*answer.seen().expect("an echo").path), (200, "/orders/7"));
//! # }
//! ```
//!
//! - [`Stack`]: an embedded DynamoDB with the template's tables, a document applied through the real
//!   publishing code and store, and the `gateway` binary under the Runtime API driver. `start_with` configures
//!   the driver (environments, variables), [`Stack::driver`] shows its log and invocations.
//! - [`Stores`]: the tables alone. `apply` another document, `publish` what items were put, start any function
//!   over them, stop and restart the database.
//! - [`Backend`]: an HTTP server that remembers what it [`Seen`], with answers of its own
//!   ([`Backend::serve`]) or as an echo ([`Backend::echo`]).
//! - [`send`] and [`open`]: a client that follows, retries and adds nothing.
//! - [`DynamoDbProxy`]: a way to DynamoDB on which answers are lost, late, or refusals.
//! - [`OpenIdProvider`]: a certified OpenID provider in a process of its own; [`mint`]: tokens by PyJWT, good and
//!   bad. `cargo xtask test` installs both.
//! - [`vectors`]: the public conformance suites, where they are.
//! - [`again`]: when to ask again for what is not there yet; [`ProcessGroup`]: a program that leaves nothing behind.

mod support;

pub use support::{
    again::again,
    backend::{Backend, BackendBody, SEEN_MAX, full},
    binary::{MissingBinary, baseline, binary, target_folder},
    client::{Answer, SendError, open, send},
    figures::{self, Budget, Figure},
    local_aws::{LocalAws, LocalAwsError},
    process::{ProcessGroup, processor_time, resident_bytes},
    provider::{OpenIdProvider, ProviderError},
    proxy::{Call, DynamoDbProxy, Fate},
    seen::Seen,
    stack::{Stack, StackError, Stores},
    tokens::{Minted, mint},
    tools::programs,
    vectors::{InvalidVectors, vectors},
};
