//! What the templates make, resource by resource: a permission that nobody meant shows here, and so does an alarm on a metric
//! that nobody writes.

mod edge;
mod metrics;
mod operations;
mod parameters;
mod permissions;

use saphyr::{LoadableYamlNode, Scalar, Yaml};

const TEMPLATE: &str = include_str!("../../../template.yaml");
const DASHBOARD: &str = include_str!("../../../infra/dashboard.yaml");

/// A node as one line of text; tags stay before what they stand before.
fn text(node: &Yaml<'_>) -> String {
    match node {
        Yaml::Value(Scalar::String(text)) => text.to_string(),
        Yaml::Value(Scalar::Boolean(value)) => value.to_string(),
        Yaml::Value(Scalar::Integer(number)) => number.to_string(),
        Yaml::Sequence(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Yaml::Mapping(members) => {
            let members = members.iter().map(|(name, value)| format!("{}: {}", text(name), text(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Yaml::Tagged(tag, node) => format!("!{} {}", tag.suffix, text(node)),
        other => panic!("nothing that this template has: {other:?}"),
    }
}

/// The members of one of a template's sections.
fn section<'a>(template: &'a str, name: &str) -> Vec<(String, Yaml<'a>)> {
    let mut documents = Yaml::load_from_str(template).expect("YAML");
    let Yaml::Mapping(mut top) = documents.remove(0) else { panic!("a mapping") };
    let section = top.remove(&Yaml::value_from_str(name)).unwrap_or_else(|| panic!("no {name}"));
    let Yaml::Mapping(members) = section else { panic!("a mapping") };
    members.into_iter().map(|(name, member)| (text(&name), member)).collect()
}

fn resources(template: &str) -> Vec<(String, Yaml<'_>)> {
    section(template, "Resources")
}

fn kind(resource: &Yaml<'_>) -> String {
    resource.as_mapping_get("Type").map(text).expect("a type")
}

/// The properties of one resource of the gateway's template.
fn properties(name: &str) -> Yaml<'static> {
    let found = resources(TEMPLATE).into_iter().find(|(found, _)| found == name);
    let (_, resource) = found.unwrap_or_else(|| panic!("no {name}"));
    resource.as_mapping_get("Properties").expect("properties").clone()
}

/// A property as text, where there is one.
fn property(properties: &Yaml<'_>, name: &str) -> Option<String> {
    properties.as_mapping_get(name).map(text)
}

/// The names of a mapping's members.
fn names(node: &Yaml<'_>) -> Vec<String> {
    node.as_mapping().expect("a mapping").keys().map(text).collect()
}

/// `name: kind [where condition]` of each resource, in the order of the template.
fn inventory(template: &str) -> Vec<String> {
    let resources = resources(template);
    let line = |(name, resource): &(String, Yaml<'_>)| {
        let condition = property(resource, "Condition").map_or_else(String::new, |it| format!(" where {it}"));
        format!("{name}: {}{condition}", kind(resource))
    };
    resources.iter().map(line).collect()
}

/// Whatever is added is added here, too, by somebody who has thought about it.
#[test]
fn the_stacks_have_nothing_else() {
    let expected = [
        "ConfigTable: AWS::DynamoDB::Table",
        "KeysTable: AWS::DynamoDB::Table",
        "UsageTable: AWS::DynamoDB::Table",
        "GatewayFunction: AWS::Serverless::Function",
        "GatewayPublicUrlPermission: AWS::Lambda::Permission where IsPublic",
        "GatewayPublicInvokePermission: AWS::Lambda::Permission where IsPublic",
        "GatewayLogGroup: AWS::Logs::LogGroup",
        "GatewayRole: AWS::IAM::Role",
        "PublisherFunction: AWS::Serverless::Function",
        "PublisherFailures: AWS::SQS::Queue",
        "PublisherLogGroup: AWS::Logs::LogGroup",
        "PublisherRole: AWS::IAM::Role",
        "GatewayFailsAlarm: AWS::CloudWatch::Alarm where HasAlarms",
        "GatewayThrottledAlarm: AWS::CloudWatch::Alarm where HasAlarms",
        "PublishRejectedAlarm: AWS::CloudWatch::Alarm where HasAlarms",
        "ConfigAgeAlarm: AWS::CloudWatch::Alarm where HasAlarms",
        "PublisherFailuresAlarm: AWS::CloudWatch::Alarm where HasAlarms",
    ];
    assert_eq!(inventory(TEMPLATE), expected);
    assert_eq!(inventory(DASHBOARD), ["Dashboard: AWS::CloudWatch::Dashboard"]);
}

#[test]
fn what_users_wrote_stays_when_the_stack_goes() {
    for table in ["ConfigTable", "KeysTable"] {
        let resources = resources(TEMPLATE);
        let (_, resource) = resources.iter().find(|(name, _)| name == table).expect("the table");
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(resource.as_mapping_get(policy).map(text).as_deref(), Some("Retain"), "{table} {policy}");
        }
        let properties = resource.as_mapping_get("Properties").map(text).expect("properties");
        assert!(properties.contains("PointInTimeRecoveryEnabled: true"), "{table}");
        assert!(properties.contains("SSEEnabled: true"), "{table}");
    }
}
