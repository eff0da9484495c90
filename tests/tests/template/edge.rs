//! What `infra/edge.yaml` promises: nothing is kept, and the gateway learns the truth from nobody but CloudFront.

use faregate_core::policy::edge::{EDGE_SECRET_BYTES_MIN, Edge};
use saphyr::{LoadableYamlNode, Yaml};

use super::{kind, resources, section, text};

const EDGE: &str = include_str!("../../../infra/edge.yaml");

/// Every status whose answers CloudFront keeps for a while if it is not told otherwise.
const KEPT_ERRORS: [i64; 10] = [400, 403, 404, 405, 414, 500, 501, 502, 503, 504];

fn resource(name: &str) -> Yaml<'static> {
    let found = resources(EDGE).into_iter().find(|(found, _)| found == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

fn properties(name: &str) -> Yaml<'static> {
    resource(name).as_mapping_get("Properties").expect("properties").clone()
}

/// The member at the end of `path`, whose parts are separated by dots.
fn at<'a>(node: &'a Yaml<'static>, path: &str) -> &'a Yaml<'static> {
    path.split('.').fold(node, |node, name| node.as_mapping_get(name).unwrap_or_else(|| panic!("no {name} of {path}")))
}

fn distribution() -> Yaml<'static> {
    at(&properties("Distribution"), "DistributionConfig").clone()
}

/// The only origin.
fn origin() -> Yaml<'static> {
    let distribution = distribution();
    let [origin] = at(&distribution, "Origins").as_vec().expect("a list").as_slice() else { panic!("one origin") };
    origin.clone()
}

/// What the gateway expects where `settings.edge` names no header.
fn defaults() -> Edge {
    serde_json::from_str(r#"{"secret": {"values": [{"ssm": "/faregate/edge"}]}}"#).expect("an edge")
}

#[test]
fn the_stack_has_nothing_else() {
    let mut kinds: Vec<String> = resources(EDGE).iter().map(|(_, resource)| kind(resource)).collect();
    kinds.sort();
    let expected = [
        "AWS::CertificateManager::Certificate",
        "AWS::CloudFront::Distribution",
        "AWS::CloudFront::Function",
        "AWS::Route53::RecordSet",
        "AWS::Route53::RecordSet",
        "AWS::SecretsManager::Secret",
        "AWS::SecretsManager::Secret",
        "AWS::WAFv2::WebACL",
    ];
    assert_eq!(kinds, expected);
}

/// Elsewhere it would fail half-way, or make a certificate that CloudFront never sees.
#[test]
fn it_is_refused_outside_of_us_east_1_and_for_a_domain_that_has_no_certificate() {
    let rules: Vec<String> =
        section(EDGE, "Rules").iter().map(|(name, rule)| format!("{name} {}", text(rule))).collect();
    let [region, domain] = rules.as_slice() else { panic!("{rules:?}") };
    let expected = "StandsWhereCloudFrontLooks {Assertions: [{Assert: !Equals [!Ref AWS::Region, us-east-1], ";
    assert!(region.starts_with(expected), "{region}");
    assert!(
        domain.starts_with("DomainHasCertificate {RuleCondition: !Not [!Equals [!Ref DomainName, ]], "),
        "{domain}"
    );
}

#[test]
fn what_may_be_left_out_may_be_empty() {
    let parameters = section(EDGE, "Parameters").into_iter();
    let mut optional: Vec<(String, String)> = parameters
        .filter(|(_, parameter)| parameter.as_mapping_get("Default").map(text).as_deref() == Some(""))
        .map(|(name, parameter)| (name, text(at(&parameter, "AllowedPattern"))))
        .collect();
    optional.sort();
    let names: Vec<&str> = optional.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["CertificateArn", "DomainName", "HostedZoneId"]);
    assert!(optional.iter().all(|(_, pattern)| pattern.starts_with("^$|^") && pattern.ends_with('$')), "{optional:?}");
}

#[test]
fn nothing_is_kept_or_asked_for_twice() {
    let distribution = distribution();
    let behaviour = at(&distribution, "DefaultCacheBehavior");
    assert_eq!(text(at(behaviour, "CachePolicyId")), "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled");
    assert_eq!(text(at(behaviour, "Compress")), "false");
    assert!(distribution.as_mapping_get("CacheBehaviors").is_none(), "paths that go another way");
    let errors = at(&distribution, "CustomErrorResponses").as_vec().expect("a list").iter().map(text);
    let expected = KEPT_ERRORS.map(|status| format!("{{ErrorCode: {status}, ErrorCachingMinTTL: 0}}"));
    assert_eq!(errors.collect::<Vec<_>>(), expected);
    assert_eq!(text(at(&origin(), "ConnectionAttempts")), "1");
}

#[test]
fn every_request_goes_on_with_all_that_the_client_sent_but_its_host() {
    let distribution = distribution();
    let behaviour = at(&distribution, "DefaultCacheBehavior");
    let policy = text(at(behaviour, "OriginRequestPolicyId"));
    assert_eq!(policy, "b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader");
    assert_eq!(text(at(behaviour, "AllowedMethods")), "[GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]");
}

#[test]
fn the_secret_goes_to_the_function_url_alone_and_over_tls() {
    let origin = origin();
    assert_eq!(text(at(&origin, "DomainName")), "!Select [2, !Split [/, !Ref GatewayUrl]]");
    assert_eq!(text(at(&origin, "CustomOriginConfig.OriginProtocolPolicy")), "https-only");
    assert_eq!(text(at(&origin, "CustomOriginConfig.OriginSSLProtocols")), "[TLSv1.2]");
    let reference = |secret: &str| format!("!Sub {{{{resolve:secretsmanager:${{{secret}}}:SecretString}}}}");
    let (a, b, header) = (reference("SecretA"), reference("SecretB"), defaults().secret.header);
    let expected = format!("[{{HeaderName: {header}, HeaderValue: !If [SendsA, {a}, {b}]}}]");
    assert_eq!(text(at(&origin, "OriginCustomHeaders")), expected);
}

#[test]
fn clients_come_over_tls_of_1_2_at_least_where_that_can_be_chosen() {
    let distribution = distribution();
    assert_eq!(text(at(&distribution, "DefaultCacheBehavior.ViewerProtocolPolicy")), "https-only");
    let certificate = text(at(&distribution, "ViewerCertificate"));
    assert!(certificate.starts_with("!If [HasDomain, {AcmCertificateArn: "), "{certificate}");
    assert!(certificate.contains("MinimumProtocolVersion: TLSv1.2_2021"), "{certificate}");
}

#[test]
fn one_function_overwrites_the_headers_that_the_gateway_believes() {
    let distribution = distribution();
    let behaviour = at(&distribution, "DefaultCacheBehavior");
    let functions = text(at(behaviour, "FunctionAssociations"));
    assert_eq!(functions, "[{EventType: viewer-request, FunctionARN: !GetAtt EdgeFunction.FunctionARN}]");
    assert!(behaviour.as_mapping_get("LambdaFunctionAssociations").is_none());
    let function = properties("EdgeFunction");
    assert_eq!(text(at(&function, "AutoPublish")), "true");
    assert_eq!(text(at(&function, "FunctionConfig.Runtime")), "cloudfront-js-2.0");
    // What it does with them is the business of tests/edge.
    let (code, edge) = (text(at(&function, "FunctionCode")), defaults());
    assert!(code.contains(&format!("headers['{}'] = {{ value: event.viewer.ip }}", edge.client_address_header)));
    assert!(code.contains(&format!("headers['{}'] = {{ value: host.value }}", edge.host_header)));
    assert!(code.contains("startsWith('x-faregate-')") && edge.secret.header.starts_with("x-faregate-"));
}

#[test]
fn there_are_two_secrets_that_the_gateway_can_read_and_that_stay() {
    for (secret, name) in [("SecretA", "a"), ("SecretB", "b")] {
        let resource = resource(secret);
        assert_eq!(text(at(&resource, "DeletionPolicy")), "RetainExceptOnCreate", "{secret}");
        assert_eq!(text(at(&resource, "UpdateReplacePolicy")), "Retain", "{secret}");
        let properties = properties(secret);
        assert_eq!(text(at(&properties, "Name")), format!("!Sub faregate/${{AWS::StackName}}/{name}"));
        let length = at(&properties, "GenerateSecretString.PasswordLength").as_integer().expect("a number");
        assert!(usize::try_from(length).is_ok_and(|length| length >= EDGE_SECRET_BYTES_MIN), "{secret}: {length}");
        let replicas = text(at(&properties, "ReplicaRegions"));
        assert_eq!(replicas, "!If [IsGatewayElsewhere, [{Region: !Ref GatewayRegion}], !Ref AWS::NoValue]", "{secret}");
    }
}

#[test]
fn the_settings_that_it_shows_name_both_secrets() {
    let documents = Yaml::load_from_str(EDGE).expect("YAML");
    let output = text(at(&documents[0], "Outputs.EdgeSettings.Value"));
    let settings = output.strip_prefix("!Sub [").and_then(|rest| rest.split_once(", {Folder: ")).expect("two parts").0;
    let settings = settings.replace("${Folder}", "/aws/reference/secretsmanager/faregate/edge");
    let settings = Yaml::load_from_str(&settings).expect("YAML");
    let named = ["a", "b"].map(|name| format!("{{ssm: /aws/reference/secretsmanager/faregate/edge/{name}}}"));
    assert_eq!(text(&settings[0]), format!("{{secret: {{values: [{}]}}}}", named.join(", ")));
    assert!(output.contains("/aws/reference/secretsmanager/faregate/${AWS::StackName}"), "{output}");
}

#[test]
fn the_firewall_blocks_what_three_groups_of_aws_know() {
    assert_eq!(text(at(&distribution(), "WebACLId")), "!If [HasWaf, !GetAtt WebAcl.Arn, !Ref AWS::NoValue]");
    let firewall = properties("WebAcl");
    assert_eq!(text(at(&firewall, "Scope")), "CLOUDFRONT");
    let mut groups = Vec::new();
    for rule in at(&firewall, "Rules").as_vec().expect("a list") {
        assert_eq!(text(at(rule, "OverrideAction")), "{None: {}}", "a group that only counts");
        assert!(text(at(rule, "VisibilityConfig")).contains("CloudWatchMetricsEnabled: true"));
        groups.push(text(at(rule, "Statement.ManagedRuleGroupStatement.Name")));
    }
    let expected =
        ["AWSManagedRulesCommonRuleSet", "AWSManagedRulesSQLiRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"];
    assert_eq!(groups, expected);
    let rules = text(at(&firewall, "Rules"));
    let counted: Vec<&str> =
        rules.split("{Name: ").filter_map(|rule| rule.split_once(", ActionToUse")).map(|rule| rule.0).collect();
    assert_eq!(counted, ["SizeRestrictions_BODY", "SizeRestrictions_QUERYSTRING", "NoUserAgent_HEADER"]);
}
