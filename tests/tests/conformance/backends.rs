//! The echo backends, one for each name in the suites.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use faregate_tests::Backend;

use crate::model::Suite;

/// The backends by name.
pub(crate) type Backends = BTreeMap<String, Backend>;

/// Starts a backend for every name that a route of the suites refers to.
pub(crate) async fn start(suites: &[Suite]) -> io::Result<Backends> {
    let rules = suites.iter().flat_map(|suite| &suite.routes).flat_map(|route| &route.rules);
    let names: BTreeSet<&str> = rules.flat_map(|rule| &rule.backend_refs).map(|backend| &*backend.name).collect();
    let mut backends = Backends::new();
    for name in names {
        backends.insert(name.to_owned(), Backend::echo(name).await?);
    }
    Ok(backends)
}
