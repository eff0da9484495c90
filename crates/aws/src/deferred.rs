//! Clients that a cold start does without.

use std::sync::LazyLock;

/// A client that is made when it is first used: each one reads the rules of its service's endpoints.
pub(crate) type Deferred<C> = LazyLock<C, Box<dyn FnOnce() -> C + Send>>;

/// A client that is made like this.
pub(crate) fn deferred<C>(make: impl FnOnce() -> C + Send + 'static) -> Deferred<C> {
    LazyLock::new(Box::new(make))
}
