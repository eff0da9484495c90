//! Whether what a key's item names exists.

use faregate_core::document::{Entry, Kind};
use faregate_engine::publish::read_document;
use serde_json::{Map, Value};

use super::view::text;
use crate::{error::CliError, stores::Stores};

/// Says which of the routes and the plan that an item names the configuration that serves has not. They may come later, and
/// whoever manages keys may not be allowed to read the Config table: nothing here is an error.
pub(super) async fn missing(stores: &Stores, item: &Map<String, Value>) -> Vec<String> {
    let routes: Vec<&str> =
        item.get("routes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let plan = Some(text(item, "plan")).filter(|plan| !plan.is_empty());
    if routes.is_empty() && plan.is_none() {
        return Vec::new();
    }
    let entries = match serving(stores).await {
        Ok(entries) => entries,
        Err(error) => return vec![format!("whether its routes and its plan exist is not known: {error}")],
    };
    let exists = |kind, id: &str| entries.iter().any(|entry| entry.kind == kind && entry.id == id);
    let routes = routes.into_iter().map(|id| (Kind::Route, id));
    let named = routes.chain(plan.map(|id| (Kind::Plan, id)));
    let unknown = named.filter(|(kind, id)| !exists(*kind, id));
    unknown.map(|(kind, id)| format!("the configuration that serves has no {} `{id}`", kind.as_str())).collect()
}

/// The entries of the version that serves; none where nothing is published yet.
async fn serving(stores: &Stores) -> Result<Vec<Entry>, CliError> {
    let Some(head) = stores.config.current(true).await? else { return Ok(Vec::new()) };
    Ok(read_document(&*stores.config, &head).await?.into_entries())
}
