//! What every implementation of a port promises: one suite for the fake and its real twin.
//!
//! Each check is an async function that panics where the promise does not hold; the macros make a test of
//! each, so that none is forgotten:
//!
//! ```ignore
//! mod fake {
//!     faregate_testing::config_contract!(super::fake_store);
//! }
//! ```

pub mod config;
pub mod counters;
pub mod keys;
pub mod secrets;

use std::any::Any;

/// An implementation under test, with an empty table of its own and whatever that needs to stay alive.
pub struct Subject<P: ?Sized> {
    /// The implementation.
    pub port: Box<P>,
    _alive: Box<dyn Any + Send + Sync>,
}

impl<P: ?Sized> Subject<P> {
    /// `alive` is dropped together with the implementation.
    pub fn new(port: Box<P>, alive: impl Any + Send + Sync) -> Self {
        Self { port, _alive: Box::new(alive) }
    }
}

/// Makes a test of each named check: `$start` is an async function that yields a [`Subject`]. With the type of a server,
/// which takes long to start, makes one function `all` instead, which checks everything on one server; `$start` is told the
/// check's name, for tables of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($suite:ident, $start:path, on $server:ty; $($check:ident),+ $(,)?) => {
        pub(super) async fn all(server: &$server) {
            $(
                let subject = $start(server, stringify!($check)).await;
                $crate::contract::$suite::$check(&*subject.port).await;
            )+
        }
    };
    ($suite:ident, $start:path; $($check:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $check() {
                let subject = $start().await;
                $crate::contract::$suite::$check(&*subject.port).await;
            }
        )+
    };
}
