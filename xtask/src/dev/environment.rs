//! The environment of what runs on the local stack.

use std::collections::BTreeMap;

use tokio::process::Command;

/// Where the stack's own values must not be mixed with the user's.
const FOREIGN: [&str; 2] = ["AWS_", "FAREGATE_"];

/// The one variable of the user's that goes through: how much is logged.
const LOG: &str = "FAREGATE_LOG";

/// Variables by name.
pub(super) type Variables = BTreeMap<&'static str, String>;

/// The environment that leads to the stack's own DynamoDB, with credentials that are worth nothing elsewhere.
#[derive(Debug)]
pub(super) struct StackEnvironment {
    endpoint: String,
}

impl StackEnvironment {
    pub(super) fn new(dynamodb_port: u16) -> Self {
        Self { endpoint: format!("http://127.0.0.1:{dynamodb_port}") }
    }

    /// URL of the embedded DynamoDB.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What any AWS client needs.
    pub(super) fn aws(&self) -> Variables {
        [
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL_DYNAMODB", &self.endpoint),
            // A document may ask for metrics: they must not leave this machine, where nobody takes them.
            ("AWS_ENDPOINT_URL_CLOUDWATCH", &self.endpoint),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }

    /// What the CLI and the publisher need.
    pub(super) fn operator(&self) -> Variables {
        let mut variables = self.aws();
        for (name, value) in [
            ("FAREGATE_CONFIG_TABLE", "faregate-config"),
            ("FAREGATE_KEYS_TABLE", "faregate-keys"),
            ("FAREGATE_USAGE_TABLE", "faregate-usage"),
            // Nobody on this machine takes them, unless a document asks for `emf`.
            ("FAREGATE_METRICS_SINK", "off"),
            // The demo's secrets stand in its file.
            ("FAREGATE_ALLOW_INLINE_SECRETS", "1"),
            // What is right on this machine would be a mistake elsewhere.
            ("FAREGATE_ALLOW_LOOPBACK", "1"),
        ] {
            variables.insert(name, value.to_owned());
        }
        variables
    }

    /// What the gateway needs: the operator's, and both development switches among them.
    pub(super) fn gateway(&self) -> Variables {
        self.operator()
    }

    /// Lines for a shell.
    pub(super) fn exports(&self) -> String {
        let line = |(name, value): (&&str, &String)| format!("export {name}={value}\n");
        self.gateway().iter().map(|(name, value)| line((name, value))).collect()
    }
}

/// Gives `command` these variables and none of the user's own that mean the same things.
pub(super) fn set(command: &mut Command, variables: &Variables) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_foreign) {
            command.env_remove(name);
        }
    }
    command.envs(variables);
}

fn is_foreign(name: &str) -> bool {
    name != LOG && FOREIGN.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::{StackEnvironment, is_foreign};

    #[test]
    fn the_exports_are_shell_lines_that_lead_to_the_stack() {
        let exports = StackEnvironment::new(8123).exports();
        for line in [
            "export AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8123",
            "export FAREGATE_CONFIG_TABLE=faregate-config",
            "export FAREGATE_ALLOW_LOOPBACK=1",
            "export FAREGATE_ALLOW_INLINE_SECRETS=1",
        ] {
            assert!(exports.lines().any(|other| other == line), "{line} is missing in\n{exports}");
        }
    }

    #[test]
    fn the_users_own_account_stays_out() {
        assert!(is_foreign("AWS_PROFILE") && is_foreign("AWS_SESSION_TOKEN") && is_foreign("FAREGATE_TARGET_HOSTS"));
        assert!(!is_foreign("FAREGATE_LOG") && !is_foreign("PATH"));
    }
}
