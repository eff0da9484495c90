//! Parameters: that they reach what they are for, and that the profiles of `samconfig.toml` name those that there are.

use std::collections::BTreeMap;

use saphyr::Yaml;

use super::{TEMPLATE, properties, property, section, text};

const PROFILES: &str = include_str!("../../../samconfig.toml");

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

/// `name=value` of each profile's `parameter_overrides`.
fn overrides() -> Vec<(&'static str, &'static str)> {
    let lines = PROFILES.lines().filter_map(|line| line.strip_prefix("parameter_overrides = \""));
    let quoted = lines.map(|line| line.strip_suffix('"').expect("one line"));
    quoted.flat_map(str::split_whitespace).map(|pair| pair.split_once('=').expect("a pair")).collect()
}

/// SAM itself says nothing of a name that the template does not have.
#[test]
fn the_profiles_set_parameters_that_there_are_to_what_they_take() {
    let (parameters, overrides) = (parameters(), overrides());
    assert_eq!(PROFILES.matches("parameter_overrides").count(), 2, "dev and prod");
    assert!(overrides.len() >= 6, "{overrides:?}");
    for (name, value) in overrides {
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
