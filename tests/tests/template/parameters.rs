//! Parameters: that they reach what they are for, and that the profiles of `samconfig.toml` name those that there are.

use std::collections::BTreeMap;

use faregate_core::document::Settings;
use saphyr::Yaml;

use super::{TEMPLATE, properties, property, section, text};

const PROFILES: &str = include_str!("../../../samconfig.toml");
const README: &str = include_str!("../../../README.md");
const DEPLOYING: &str = include_str!("../../../docs/deploy.md");
const ON_AWS: &str = include_str!("../../../docs/on-aws.md");

/// The option of SAM that sets parameters.
const OVERRIDES: &str = " --parameter-overrides ";

fn parameters() -> BTreeMap<String, Yaml<'static>> {
    section(TEMPLATE, "Parameters").into_iter().collect()
}

fn conditions() -> BTreeMap<String, String> {
    section(TEMPLATE, "Conditions").iter().map(|(name, condition)| (name.clone(), text(condition))).collect()
}

/// So that a flood can starve neither publishing nor the account (SECURITY.md 25).
#[test]
fn reserved_concurrency_reaches_both_functions() {
    let (parameters, conditions) = (parameters(), conditions());
    for (function, parameter, default) in
        [("GatewayFunction", "GatewayConcurrency", "-1"), ("PublisherFunction", "PublisherConcurrency", "2")]
    {
        let reserved = property(&properties(function), "ReservedConcurrentExecutions");
        let expected = format!("!If [Has{parameter}, !Ref {parameter}, !Ref AWS::NoValue]");
        assert_eq!(reserved.as_deref(), Some(&*expected), "{function}");
        let expected = format!("!Not [!Equals [!Ref {parameter}, -1]]");
        assert_eq!(conditions[&format!("Has{parameter}")], expected);
        assert_eq!(property(&parameters[parameter], "Default").as_deref(), Some(default), "{parameter}");
    }
}

/// Each parameter is used, and says what it is for.
#[test]
fn every_parameter_does_something() {
    for (name, parameter) in &parameters() {
        let uses =
            [format!("!Ref {name},"), format!("!Ref {name}]"), format!("!Ref {name} "), format!("!Ref {name}\n")];
        assert!(uses.iter().any(|used| TEMPLATE.contains(&**used)), "{name}");
        assert!(property(parameter, "Description").is_some_and(|description| !description.is_empty()), "{name}");
    }
}

/// Function and variable agree on how answers leave, and the URL lets in whom the parameter says.
#[test]
fn the_url_and_the_gateway_know_how_answers_leave() {
    let gateway = properties("GatewayFunction");
    let url = property(&gateway, "FunctionUrlConfig").expect("a URL");
    assert_eq!(url, "{AuthType: !Ref AuthType, InvokeMode: !If [IsStreamed, RESPONSE_STREAM, BUFFERED]}");
    let environment = property(&gateway, "Environment").expect("variables");
    assert!(environment.contains("FAREGATE_INVOKE_MODE: !If [IsStreamed, stream, buffered],"), "{environment}");
    let conditions = conditions();
    assert_eq!(
        conditions["IsStreamed"],
        "!And [!Equals [!Ref InvokeMode, RESPONSE_STREAM], !Not [!Condition IsInVpc]]"
    );
    assert_eq!(conditions["IsPublic"], "!Equals [!Ref AuthType, NONE]");
}

#[test]
fn log_groups_keep_lines_for_as_long_as_is_asked() {
    for (function, group) in [("GatewayFunction", "GatewayLogGroup"), ("PublisherFunction", "PublisherLogGroup")] {
        assert_eq!(property(&properties(group), "RetentionInDays").as_deref(), Some("!Ref LogRetentionDays"));
        let logging = property(&properties(function), "LoggingConfig").expect("logging");
        assert_eq!(logging, format!("{{LogFormat: JSON, SystemLogLevel: WARN, LogGroup: !Ref {group}}}"), "{function}");
    }
}

/// `name=value` of the `parameter_overrides` of dev and prod.
fn overrides() -> [BTreeMap<&'static str, &'static str>; 2] {
    let lines = PROFILES.lines().filter_map(|line| line.strip_prefix("parameter_overrides = \""));
    let quoted = lines.map(|line| line.strip_suffix('"').expect("one line"));
    let of_profile = |line: &'static str| line.split_whitespace().map(|pair| pair.split_once('=').expect("a pair"));
    let profiles: Vec<_> = quoted.map(|line| of_profile(line).collect()).collect();
    profiles.try_into().expect("dev and prod")
}

/// SAM itself says nothing of a name that the template does not have.
#[test]
fn the_profiles_set_parameters_that_there_are_to_what_they_take() {
    let (parameters, [dev, prod]) = (parameters(), overrides());
    assert!(dev.len() + prod.len() >= 6, "{dev:?} {prod:?}");
    for (name, value) in dev.into_iter().chain(prod) {
        let parameter = parameters.get(name).unwrap_or_else(|| panic!("no parameter {name}"));
        if let Some(allowed) = parameter.as_mapping_get("AllowedValues").and_then(Yaml::as_vec) {
            assert!(allowed.iter().any(|allowed| text(allowed) == value), "{name}={value}");
        }
        if property(parameter, "Type").as_deref() == Some("Number") {
            let number: i64 = value.parse().unwrap_or_else(|_| panic!("{name}={value}"));
            let bound = |name: &str| parameter.as_mapping_get(name).and_then(Yaml::as_integer);
            assert!(bound("MinValue").is_none_or(|least| number >= least), "{name}={value}");
            assert!(bound("MaxValue").is_none_or(|most| number <= most), "{name}={value}");
        }
    }
}

/// New accounts have the smallest quota, of which nothing can be reserved: the first deploy would be rolled back.
#[test]
fn the_dev_profile_reserves_no_concurrency_and_the_other_one_does() {
    let [dev, prod] = overrides();
    assert_eq!((dev.get("PublisherConcurrency"), prod.get("PublisherConcurrency")), (Some(&"-1"), Some(&"2")));
    assert_eq!((dev.get("GatewayConcurrency"), prod.get("GatewayConcurrency")), (None, None));
    let message = "decreases account's UnreservedConcurrentExecution below its minimum value of [10]";
    assert!(DEPLOYING.contains(message), "whoever sees it can find what to do");
}

/// `sam build` looks for the template's architecture, too; and what is given on the command line replaces the profile's own.
#[test]
fn wherever_another_architecture_is_offered_both_commands_have_it() {
    let [mut dev, _] = overrides();
    dev.insert("Architecture", "x86_64");
    for (document, commands) in [("README.md", README), ("docs/deploy.md", DEPLOYING), ("docs/on-aws.md", ON_AWS)] {
        let given = |command: &str| -> Vec<BTreeMap<&str, &str>> {
            let lines = commands.lines().filter_map(|line| line.strip_prefix(command)?.strip_prefix(OVERRIDES));
            lines.map(|line| line.split_whitespace().filter_map(|pair| pair.split_once('=')).collect()).collect()
        };
        let (builds, deploys) = (given("sam build"), given("sam deploy"));
        let offers = usize::from(commands.contains("Architecture=x86_64"));
        assert_eq!((builds.len(), deploys.len()), (offers, offers), "{document}");
        assert_eq!(commands.matches("Architecture=x86_64").count(), 2 * offers, "{document}: nowhere else");
        assert!(builds.iter().all(|given| *given == BTreeMap::from([("Architecture", "x86_64")])), "{document}");
        assert!(deploys.iter().all(|given| *given == dev), "{document}: {deploys:?}");
    }
}

/// Alarms on metrics that nobody sends, and half of a VPC, which Lambda would refuse when half of the stack is changed.
#[test]
fn what_does_not_go_together_is_refused_before_anything_is_changed() {
    let rules = section(TEMPLATE, "Rules");
    let has = |list: &str| format!("!Not [{{Fn::EachMemberEquals: [!Ref {list}, ]}}]");
    let expected = [
        (
            "AlarmsHaveMetrics",
            "!Equals [!Ref Alarms, true]".to_owned(),
            "!Not [!Equals [!Ref MetricsSink, off]]".to_owned(),
        ),
        ("SubnetsHaveSecurityGroups", has("SubnetIds"), has("SecurityGroupIds")),
        ("SecurityGroupsHaveSubnets", has("SecurityGroupIds"), has("SubnetIds")),
    ];
    assert_eq!(rules.len(), expected.len(), "{rules:?}");
    for ((name, rule), (expected, when, then)) in rules.iter().zip(expected) {
        assert_eq!(name, expected);
        let expected = format!("{{RuleCondition: {when}, Assertions: [{{Assert: {then}, AssertDescription: ");
        assert!(text(rule).starts_with(&expected), "{name} {}", text(rule));
    }
}

/// A configuration may serve unchecked for six intervals, and no longer: an alarm below that is false, and one that could not be
/// set above it would be, too.
#[test]
fn the_alarm_on_the_configurations_age_can_wait_for_longer_than_a_check() {
    let alarm = properties("ConfigAgeAlarm");
    let [threshold, comparison, statistic] = ["Threshold", "ComparisonOperator", "Statistic"]
        .map(|name| property(&alarm, name).unwrap_or_else(|| panic!("no {name}")));
    let expected = ["!Ref ConfigAgeAlarmSeconds", "GreaterThanThreshold", "Minimum"];
    assert_eq!([&*threshold, &*comparison, &*statistic], expected);
    let parameters = parameters();
    let bound = |name: &str| parameters["ConfigAgeAlarmSeconds"].as_mapping_get(name).and_then(Yaml::as_integer);
    let unchecked = |refresh_seconds: u32| Some(i64::from(6 * refresh_seconds));
    assert!(bound("Default") > unchecked(Settings::default().refresh_seconds));
    assert!(bound("MaxValue") > unchecked(3600));
}
