//! The tables by name.

use std::net::SocketAddr;

use serde_json::{Map, Value};

use super::{
    DynamoDbError,
    template::{TableDefinition, tables_of_template},
    wire::{CallError, call},
};

/// The template that this was built with; it defines the tables.
pub const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// What the tables are called; the default is what local work uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// The template's `ConfigTable`.
    pub config: String,
    /// The template's `KeysTable`.
    pub keys: String,
    /// The template's `UsageTable`.
    pub usage: String,
}

impl TableNames {
    /// `<prefix>-config` and so on.
    #[must_use]
    pub fn with_prefix(prefix: &str) -> Self {
        let name = |part: &str| format!("{prefix}-{part}");
        Self { config: name("config"), keys: name("keys"), usage: name("usage") }
    }

    /// The name of a table of the template; of one that is not known here its logical id.
    #[must_use]
    pub fn of<'a>(&'a self, logical_id: &'a str) -> &'a str {
        match logical_id {
            "ConfigTable" => &self.config,
            "KeysTable" => &self.keys,
            "UsageTable" => &self.usage,
            other => other,
        }
    }
}

impl Default for TableNames {
    fn default() -> Self {
        Self::with_prefix("faregate")
    }
}

/// Makes the tables of [`TEMPLATE`] under these names; those that exist already stay as they are.
pub(super) async fn create_all(address: SocketAddr, names: &TableNames) -> Result<(), DynamoDbError> {
    for definition in tables_of_template(TEMPLATE)? {
        let table = names.of(&definition.logical_id).to_owned();
        let made = create(address, &definition, &table).await;
        made.map_err(|source| DynamoDbError::Table { table, source })?;
    }
    Ok(())
}

/// Makes one table, unless there is one of that name.
async fn create(address: SocketAddr, definition: &TableDefinition, name: &str) -> Result<(), CallError> {
    match call(address, "CreateTable", &named(&definition.create, name)).await {
        Err(CallError::Refused { code, .. }) if code == "ResourceInUseException" => return Ok(()),
        made => made?,
    };
    if let Some(time_to_live) = &definition.time_to_live {
        let parameters = Map::from_iter([("TimeToLiveSpecification".to_owned(), time_to_live.clone())]);
        call(address, "UpdateTimeToLive", &named(&parameters, name)).await?;
    }
    Ok(())
}

fn named(parameters: &Map<String, Value>, name: &str) -> Value {
    let mut parameters = parameters.clone();
    parameters.insert("TableName".to_owned(), Value::from(name));
    Value::Object(parameters)
}
