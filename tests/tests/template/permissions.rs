//! What each function may do, statement by statement, and who may call it.

use std::collections::BTreeSet;

use saphyr::Yaml;

use super::{TEMPLATE, kind, names, properties, property, resources, section, text};

/// `role sid effect actions on resources [if condition]`, one for each statement of each role.
pub(super) fn statements() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (role, resource) in resources(TEMPLATE).iter().filter(|(_, resource)| kind(resource) == "AWS::IAM::Role") {
        let properties = resource.as_mapping_get("Properties").expect("properties");
        // Neither managed policies, which AWS may change, nor anything else that grants.
        assert_eq!(names(properties), ["AssumeRolePolicyDocument", "Policies"], "{role}");
        for policy in properties.as_mapping_get("Policies").and_then(Yaml::as_vec).expect("policies") {
            let (condition, policy) = match policy {
                Yaml::Tagged(tag, node) => {
                    let [condition, policy, otherwise] = node.as_vec().expect("parts").as_slice() else {
                        panic!("{role}: {}", text(node));
                    };
                    let otherwise = (&*tag.suffix, text(otherwise));
                    assert_eq!(otherwise, ("If", "!Ref AWS::NoValue".to_owned()), "{role}: a branch that grants, too");
                    (format!(" where {}", text(condition)), policy)
                }
                policy => (String::new(), policy),
            };
            let role = format!("{role}{condition}");
            let document = policy.as_mapping_get("PolicyDocument").expect("a document");
            for statement in document.as_mapping_get("Statement").and_then(Yaml::as_vec).expect("statements") {
                let members = ["Sid", "Effect", "Action", "Resource", "Condition"];
                assert!(names(statement).iter().all(|name| members.contains(&&**name)), "{role}: {}", text(statement));
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
    let ec2 = "!Sub arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}";
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
        format!(
            "GatewayRole where IsInVpc CreateInterfaces: Allow ec2:CreateNetworkInterface on \
             [{ec2}:network-interface/*, {ec2}:subnet/*, {ec2}:security-group/*]"
        ),
        format!(
            "GatewayRole where IsInVpc AddressInterfaces: Allow [ec2:AssignPrivateIpAddresses, \
             ec2:UnassignPrivateIpAddresses] on {ec2}:network-interface/*"
        ),
        format!("GatewayRole where IsInVpc DeleteInterfaces: Allow ec2:DeleteNetworkInterface on {ec2}:*/*"),
        "GatewayRole where IsInVpc DescribeInterfaces: Allow [ec2:DescribeNetworkInterfaces, ec2:DescribeSubnets] on *"
            .to_owned(),
        "GatewayRole where IsInVpc NotByCode: Deny ec2:* on * if {ArnLike: {lambda:SourceFunctionArn: \
         !Sub arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:*}}"
            .to_owned(),
        "PublisherRole WriteLogs: Allow [logs:CreateLogStream, logs:PutLogEvents] on !GetAtt PublisherLogGroup.Arn"
            .to_owned(),
        "PublisherRole ReadConfig: Allow [dynamodb:GetItem, dynamodb:Query, dynamodb:Scan] on !GetAtt ConfigTable.Arn"
            .to_owned(),
        format!(
            "PublisherRole WriteSnapshots: Allow [dynamodb:PutItem, dynamodb:DeleteItem] on \
             !GetAtt ConfigTable.Arn if {written}"
        ),
        "PublisherRole ReadStream: Allow [dynamodb:DescribeStream, dynamodb:GetRecords, dynamodb:GetShardIterator, \
         dynamodb:ListStreams] on !GetAtt ConfigTable.StreamArn"
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

/// Of everything else that could give a function a role or more to do, there is nothing.
#[test]
fn each_function_has_its_own_role_which_lambda_alone_assumes() {
    let functions = [
        ("GatewayFunction", "!GetAtt GatewayRole.Arn", "[]"),
        ("PublisherFunction", "!GetAtt PublisherRole.Arn", "[ConfigChanged, EveryFiveMinutes, AfterDeploy]"),
    ];
    for (function, role, events) in functions {
        let properties = properties(function);
        assert_eq!(property(&properties, "Role").as_deref(), Some(role), "{function}");
        for granting in ["Policies", "PermissionsBoundary", "AssumeRolePolicyDocument", "Connectors", "Layers"] {
            assert_eq!(property(&properties, granting), None, "{function}: {granting}");
        }
        // SAM lets the source of each event call the function.
        let found = properties.as_mapping_get("Events").map(names).unwrap_or_default();
        assert_eq!(format!("[{}]", found.join(", ")), events, "{function}");
    }
    let globals: Vec<String> =
        section(TEMPLATE, "Globals").iter().map(|(name, it)| format!("{name} {}", text(it))).collect();
    assert_eq!(
        globals,
        ["Function {Runtime: provided.al2023, Handler: bootstrap, Architectures: [!Ref Architecture]}"]
    );
    let lambda = "{Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, \
                  Action: sts:AssumeRole}]}";
    for role in ["GatewayRole", "PublisherRole"] {
        assert_eq!(property(&properties(role), "AssumeRolePolicyDocument").as_deref(), Some(lambda), "{role}");
    }
}

/// A table can grant by itself, as a queue and a function can by resources of their own, of which there are none.
#[test]
fn no_table_grants_anything() {
    for (name, resource) in resources(TEMPLATE).iter().filter(|(_, resource)| kind(resource) == "AWS::DynamoDB::Table")
    {
        assert!(!text(resource).contains("ResourcePolicy"), "{name}");
    }
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
