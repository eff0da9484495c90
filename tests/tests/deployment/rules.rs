//! The template's rules, as CloudFormation goes by them: parameters that do not go together.

use faregate_tests::LocalAws;

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// Why a stack is not made with these parameters, or nothing.
async fn refusal(aws: &LocalAws, stack: &str, parameters: &[(&str, &str)]) -> Option<String> {
    // Nothing is made, and so nothing is asked of the functions but that they might be there.
    let template = TEMPLATE.replace("CodeUri: functions/", "CodeUri: s3://functions/");
    let parameters: Vec<String> =
        parameters.iter().map(|(name, value)| format!("ParameterKey={name},ParameterValue={value}")).collect();
    let create = ["cloudformation", "create-change-set", "--stack-name", stack, "--change-set-name", "c"];
    let how = ["--change-set-type", "CREATE", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"];
    let what = ["--template-body", &template, "--parameters"];
    let parameters = parameters.iter().map(String::as_str).collect::<Vec<_>>();
    aws.cli(&[&create[..], &how, &what, &parameters].concat()).await.err().map(|error| error.to_string())
}

#[tokio::test]
async fn what_does_not_go_together_is_refused_before_anything_is_made() {
    let aws = LocalAws::start(LocalAws::free_port().expect("a port")).await.expect("AWS");
    let half = [
        (&[("SubnetIds", "subnet-1")][..], "SubnetIds need SecurityGroupIds."),
        (&[("SecurityGroupIds", "sg-1")], "SecurityGroupIds need SubnetIds."),
        (&[("Alarms", "true"), ("MetricsSink", "off")], "so MetricsSink must not be off."),
    ];
    for (parameters, sentence) in half {
        let refusal = refusal(&aws, "half", parameters).await.unwrap_or_else(|| panic!("{parameters:?}"));
        assert!(refusal.contains(sentence), "{parameters:?}: {refusal}");
    }
    let whole = [
        ("as-it-is", &[("Alarms", "false")][..]),
        ("in-a-vpc", &[("SubnetIds", "subnet-1\\,subnet-2"), ("SecurityGroupIds", "sg-1")]),
        ("alarmed", &[("Alarms", "true"), ("ConfigAgeAlarmSeconds", "2100")]),
    ];
    for (stack, parameters) in whole {
        assert_eq!(refusal(&aws, stack, parameters).await, None, "{parameters:?}");
    }
}
