//! Tables as a CloudFormation template defines them.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// A table of the template, ready to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct TableDefinition {
    /// What the template calls the resource.
    pub logical_id: String,
    /// The parameters of `CreateTable`, without the table's name.
    pub create: Map<String, Value>,
    /// `TimeToLiveSpecification` of `UpdateTimeToLive`.
    pub time_to_live: Option<Value>,
}

/// Why the template's tables cannot be made from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// No YAML.
    #[error("the template is no YAML: {0}")]
    Yaml(String),
    /// No mapping `Resources`.
    #[error("the template has no resources")]
    NoResources,
    /// A table's property is not a plain value: an intrinsic function, an alias, a key that is no text.
    #[error("table `{0}` has properties that are no plain values")]
    NotPlain(String),
    /// A property that would be lost.
    #[error("table `{table}` has the property `{property}`, which cannot be made here")]
    UnknownProperty {
        /// The resource.
        table: String,
        /// The property.
        property: String,
    },
}

/// Reads the resources of type `AWS::DynamoDB::Table`, in the order of the template.
///
/// Everything else in the template may hold CloudFormation's tags and is not looked at. Encryption and
/// backups are left out: an embedded table has neither.
///
/// # Errors
///
/// [`InvalidTemplate`] rather than a table that is not what the template says.
pub fn tables_of_template(yaml: &str) -> Result<Vec<TableDefinition>, InvalidTemplate> {
    let documents = Yaml::load_from_str(yaml).map_err(|error| InvalidTemplate::Yaml(error.to_string()))?;
    let resources = documents.first().and_then(|document| document.as_mapping_get("Resources"));
    let resources = resources.and_then(Yaml::as_mapping).ok_or(InvalidTemplate::NoResources)?;
    let is_table =
        |resource: &Yaml<'_>| resource.as_mapping_get("Type").and_then(Yaml::as_str) == Some("AWS::DynamoDB::Table");
    let tables = resources.iter().filter(|(_, resource)| is_table(resource));
    tables.map(|(id, resource)| definition(id.as_str().unwrap_or_default(), resource)).collect()
}

fn definition(id: &str, resource: &Yaml<'_>) -> Result<TableDefinition, InvalidTemplate> {
    let not_plain = || InvalidTemplate::NotPlain(id.to_owned());
    let properties = resource.as_mapping_get("Properties").and_then(plain).ok_or_else(not_plain)?;
    let Value::Object(properties) = properties else { return Err(not_plain()) };
    let mut definition = TableDefinition { logical_id: id.to_owned(), create: Map::new(), time_to_live: None };
    for (property, mut value) in properties {
        match property.as_str() {
            "BillingMode" | "AttributeDefinitions" | "KeySchema" | "GlobalSecondaryIndexes" => {
                definition.create.insert(property, value);
            }
            "StreamSpecification" => {
                // CloudFormation has no such field: the property itself switches the stream on.
                value["StreamEnabled"] = json!(true);
                definition.create.insert(property, value);
            }
            "TimeToLiveSpecification" => definition.time_to_live = Some(value),
            "SSESpecification" | "PointInTimeRecoverySpecification" => {}
            _ => return Err(InvalidTemplate::UnknownProperty { table: id.to_owned(), property }),
        }
    }
    Ok(definition)
}

/// The JSON of a node without tags and aliases.
fn plain(node: &Yaml<'_>) -> Option<Value> {
    match node {
        Yaml::Value(scalar) => Some(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => json!(value),
            Scalar::Integer(value) => json!(value),
            Scalar::FloatingPoint(value) => json!(value.into_inner()),
            Scalar::String(value) => json!(value),
        }),
        Yaml::Sequence(items) => items.iter().map(plain).collect::<Option<Vec<_>>>().map(Value::Array),
        Yaml::Mapping(members) => {
            let member = |(name, value): (&Yaml<'_>, &Yaml<'_>)| Some((name.as_str()?.to_owned(), plain(value)?));
            members.iter().map(member).collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        Yaml::Representation(..) | Yaml::Tagged(..) | Yaml::Alias(_) | Yaml::BadValue => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{InvalidTemplate, tables_of_template};
    use crate::dynamodb::TEMPLATE;

    #[test]
    fn the_template_defines_the_three_tables() {
        let tables = tables_of_template(TEMPLATE).expect("tables");
        let ids: Vec<&str> = tables.iter().map(|table| table.logical_id.as_str()).collect();
        assert_eq!(ids, ["ConfigTable", "KeysTable", "UsageTable"]);
        assert_eq!(
            tables[0].create["StreamSpecification"],
            json!({"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"})
        );
        assert_eq!(tables[1].create["GlobalSecondaryIndexes"][0]["IndexName"], "by_consumer");
        assert_eq!(tables[2].time_to_live, Some(json!({"AttributeName": "expires_at", "Enabled": true})));
    }

    #[test]
    fn tags_outside_of_tables_are_not_looked_at() {
        let yaml = "
Conditions: { A: !Equals [!Ref B, c] }
Resources:
  F: { Type: AWS::Serverless::Function, Properties: { Role: !GetAtt R.Arn } }
  T: { Type: AWS::DynamoDB::Table, Properties: { BillingMode: PAY_PER_REQUEST } }
";
        let tables = tables_of_template(yaml).expect("tables");
        assert_eq!(tables.len(), 1);
        assert_eq!(json!(tables[0].create), json!({"BillingMode": "PAY_PER_REQUEST"}));
    }

    #[test]
    fn a_table_that_cannot_be_made_as_written_is_refused() {
        let table = |properties: &str| {
            tables_of_template(&format!(
                "Resources: {{ T: {{ Type: AWS::DynamoDB::Table, Properties: {properties} }} }}"
            ))
        };
        assert_eq!(table("{ BillingMode: !Ref Mode }"), Err(InvalidTemplate::NotPlain("T".to_owned())));
        let unknown = InvalidTemplate::UnknownProperty { table: "T".to_owned(), property: "TableName".to_owned() };
        assert_eq!(table("{ TableName: t }"), Err(unknown));
        assert_eq!(tables_of_template("a: 1"), Err(InvalidTemplate::NoResources));
        assert!(matches!(tables_of_template("a: ["), Err(InvalidTemplate::Yaml(_))));
    }
}
