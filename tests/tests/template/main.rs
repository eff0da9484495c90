//! What `template.yaml` lets each function do, statement by statement: a permission that nobody meant shows here.

mod edge;

use std::collections::BTreeSet;

use saphyr::{LoadableYamlNode, Scalar, Yaml};

const TEMPLATE: &str = include_str!("../../../template.yaml");
const DASHBOARD: &str = include_str!("../../../infra/dashboard.yaml");
/// Where every metric is described.
const OPERATING: &str = include_str!("../../../docs/operating.md");

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

fn resources(template: &str) -> Vec<(String, Yaml<'_>)> {
    let mut documents = Yaml::load_from_str(template).expect("YAML");
    let Yaml::Mapping(mut top) = documents.remove(0) else { panic!("a mapping") };
    let resources = top.remove(&Yaml::value_from_str("Resources")).expect("resources");
    let Yaml::Mapping(resources) = resources else { panic!("a mapping") };
    resources.into_iter().map(|(name, resource)| (text(&name), resource)).collect()
}

fn kind(resource: &Yaml<'_>) -> String {
    resource.as_mapping_get("Type").map(text).expect("a type")
}

/// `role sid effect actions on resources [if condition]`, one for each statement of each role.
fn statements() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (role, resource) in resources(TEMPLATE).iter().filter(|(_, resource)| kind(resource) == "AWS::IAM::Role") {
        let properties = resource.as_mapping_get("Properties").expect("properties");
        assert!(properties.as_mapping_get("ManagedPolicyArns").is_none(), "{role}: what AWS may change is not listed");
        for policy in properties.as_mapping_get("Policies").and_then(Yaml::as_vec).expect("policies") {
            // `!If [condition, policy, nothing]`
            let (condition, policy) = match policy {
                Yaml::Tagged(_, node) => {
                    let parts = node.as_vec().expect("three parts");
                    (format!(" where {}", text(&parts[0])), &parts[1])
                }
                policy => (String::new(), policy),
            };
            let role = format!("{role}{condition}");
            let document = policy.as_mapping_get("PolicyDocument").expect("a document");
            for statement in document.as_mapping_get("Statement").and_then(Yaml::as_vec).expect("statements") {
                let get = |name: &str| statement.as_mapping_get(name).map(text);
                let [sid, effect, action, resource] =
                    ["Sid", "Effect", "Action", "Resource"].map(|name| get(name).expect("every statement has it"));
                let condition = get("Condition").map_or_else(String::new, |condition| format!(" if {condition}"));
                lines.insert(format!("{role} {sid}: {effect} {action} on {resource}{condition}"));
            }
        }
    }
    lines
}

#[test]
fn each_function_may_do_what_is_listed_here_and_nothing_else() {
    let parameter = "!Sub arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter";
    let snapshots = "{ForAllValues:StringLike: {dynamodb:LeadingKeys: [snapshot, snapshot#*]}, Null: {dynamodb:LeadingKeys: false}}";
    let written = "{ForAllValues:StringLike: {dynamodb:LeadingKeys: [snapshot, snapshot#*, status]}, Null: {dynamodb:LeadingKeys: false}}";
    let metrics = "on * if {StringEquals: {cloudwatch:namespace: Faregate}}";
    let expected = [
        "GatewayRole WriteLogs: Allow [logs:CreateLogStream, logs:PutLogEvents] on !GetAtt GatewayLogGroup.Arn"
            .to_owned(),
        format!(
            "GatewayRole ReadSnapshots: Allow [dynamodb:GetItem, dynamodb:Query] on !GetAtt ConfigTable.Arn if {snapshots}"
        ),
        "GatewayRole ReadKeys: Allow dynamodb:GetItem on !GetAtt KeysTable.Arn".to_owned(),
        "GatewayRole CountUsage: Allow [dynamodb:GetItem, dynamodb:UpdateItem] on !GetAtt UsageTable.Arn".to_owned(),
        format!(
            "GatewayRole ReadParameters: Allow ssm:GetParameter on [{parameter}/faregate/*, \
             {parameter}/aws/reference/secretsmanager/faregate/*]"
        ),
        "GatewayRole ReadSecrets: Allow secretsmanager:GetSecretValue on \
         !Sub arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:faregate/*"
            .to_owned(),
        format!("GatewayRole PutMetrics: Allow cloudwatch:PutMetricData {metrics}"),
        "GatewayRole where IsInVpc ManageInterfaces: Allow [ec2:CreateNetworkInterface, ec2:DescribeNetworkInterfaces, \
         ec2:DescribeSubnets, ec2:DeleteNetworkInterface, ec2:AssignPrivateIpAddresses, ec2:UnassignPrivateIpAddresses] on *"
            .to_owned(),
        "GatewayRole where IsInVpc NotByCode: Deny ec2:* on * if {ArnLike: {lambda:SourceFunctionArn: \
         !Sub arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:*}}"
            .to_owned(),
        "PublisherRole WriteLogs: Allow [logs:CreateLogStream, logs:PutLogEvents] on !GetAtt PublisherLogGroup.Arn"
            .to_owned(),
        "PublisherRole ReadConfig: Allow [dynamodb:GetItem, dynamodb:Query, dynamodb:Scan] on !GetAtt ConfigTable.Arn"
            .to_owned(),
        format!(
            "PublisherRole WriteSnapshots: Allow [dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem] on \
             !GetAtt ConfigTable.Arn if {written}"
        ),
        "PublisherRole ReadStream: Allow [dynamodb:DescribeStream, dynamodb:GetRecords, dynamodb:GetShardIterator, \
         dynamodb:ListStreams] on !Sub ${ConfigTable.Arn}/stream/*"
            .to_owned(),
        "PublisherRole ReportFailures: Allow sqs:SendMessage on !GetAtt PublisherFailures.Arn".to_owned(),
        format!("PublisherRole PutMetrics: Allow cloudwatch:PutMetricData {metrics}"),
    ];
    let expected: BTreeSet<String> = expected.into();
    let found = statements();
    let missing: Vec<&String> = expected.difference(&found).collect();
    let unexpected: Vec<&String> = found.difference(&expected).collect();
    assert!(missing.is_empty() && unexpected.is_empty(), "missing: {missing:#?}, unexpected: {unexpected:#?}");
}

#[test]
fn whoever_may_invoke_the_gateway_does_so_through_its_url() {
    let resources = resources(TEMPLATE);
    let permissions: Vec<_> =
        resources.iter().filter(|(_, resource)| kind(resource) == "AWS::Lambda::Permission").collect();
    assert_eq!(permissions.len(), 2);
    for (name, permission) in permissions {
        let properties = permission.as_mapping_get("Properties").expect("properties");
        let get = |property: &str| properties.as_mapping_get(property).map(text);
        match get("Action").as_deref() {
            Some("lambda:InvokeFunction") => {
                assert_eq!(get("InvokedViaFunctionUrl").as_deref(), Some("true"), "{name}");
            }
            Some("lambda:InvokeFunctionUrl") => {
                assert_eq!(get("FunctionUrlAuthType").as_deref(), Some("NONE"), "{name}");
            }
            other => panic!("{name} lets everybody do {other:?}"),
        }
        assert_eq!(permission.as_mapping_get("Condition").map(text).as_deref(), Some("IsPublic"), "{name}");
    }
}

#[test]
fn the_dashboard_shows_metrics_that_there_are() {
    let resources = resources(DASHBOARD);
    let properties = resources[0].1.as_mapping_get("Properties").expect("properties");
    let body = text(properties.as_mapping_get("DashboardBody").expect("a body"));
    let body: serde_json::Value = serde_json::from_str(body.trim_start_matches("!Sub ")).expect("JSON");
    let mut shown = BTreeSet::new();
    for widget in body["widgets"].as_array().expect("widgets") {
        for metric in widget["properties"]["metrics"].as_array().expect("metrics") {
            // `["...", …]` repeats the one before, and an expression has no name.
            shown.extend(metric[1].as_str().filter(|_| metric[0] != "...").map(str::to_owned));
        }
    }
    assert!(shown.len() >= 12, "{shown:?}");
    for name in shown {
        assert!(OPERATING.contains(&format!("`{name}`")), "{name} is described nowhere");
    }
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
