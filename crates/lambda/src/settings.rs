//! What the environment says: every variable that the functions read. Nothing else of ours reads any; the exporter of traces
//! has its own (`OTEL_…`, feature `otlp`).
#![allow(clippy::disallowed_methods, reason = "this is where the environment is read")]

use std::env;

use faregate_core::policy::telemetry::Sink;

/// How answers go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvokeMode {
    /// Streamed, for function URLs with `InvokeMode: RESPONSE_STREAM`.
    Stream,
    /// In one piece.
    Buffered,
}

/// The settings of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `FAREGATE_CONFIG_TABLE`, default `faregate-config`.
    pub config_table: String,
    /// `FAREGATE_KEYS_TABLE`, default `faregate-keys`.
    pub keys_table: String,
    /// `FAREGATE_USAGE_TABLE`, default `faregate-usage`.
    pub usage_table: String,
    /// `FAREGATE_GATEWAY`, the gateway's name, default `faregate`.
    pub gateway: String,
    /// `FAREGATE_INVOKE_MODE`: `stream` (default) or `buffered`.
    pub invoke_mode: InvokeMode,
    /// `FAREGATE_METRICS_SINK`, where metrics go when the document does not say: `cloudwatch` (default), `emf` or `off`.
    pub metrics_sink: Sink,
    /// `FAREGATE_LOG`: a filter as `warn,faregate_engine=debug`, default `warn`.
    pub log: String,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, where traces go; only builds with the feature `otlp` send any.
    pub otlp_endpoint: Option<String>,
    /// `FAREGATE_TARGET_HOSTS`: when set, the only hosts that anything is sent to.
    pub target_hosts: Option<Vec<String>>,
    /// `FAREGATE_ALLOW_LOOPBACK=1`: development only.
    pub allow_loopback: bool,
    /// `FAREGATE_ALLOW_INLINE_SECRETS=1`: development only.
    pub allow_inline_secrets: bool,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE` in MB, default 128.
    pub memory_mb: u32,
    /// `AWS_LAMBDA_RUNTIME_API`, host and port.
    pub runtime_api: Option<String>,
}

/// Why the environment cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// A variable has a value that it cannot have.
    #[error("{name} is `{value}`, but must be {expected}")]
    Value {
        /// The variable.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

impl Settings {
    /// Reads the process' environment.
    ///
    /// # Errors
    ///
    /// [`InvalidSettings`] for a value that is none; an empty value counts as absent.
    pub fn from_env() -> Result<Self, InvalidSettings> {
        Self::read(|name| env::var(name).ok())
    }

    /// Reads settings by `get`.
    ///
    /// # Errors
    ///
    /// As [`Settings::from_env`].
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let or = |name: &str, default: &str| get(name).unwrap_or_else(|| default.to_owned());
        let switch = |name: &'static str| match get(name).as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(value) => Err(InvalidSettings::Value { name, value: value.to_owned(), expected: "1 or absent" }),
        };
        let invoke_mode = match get("FAREGATE_INVOKE_MODE").as_deref() {
            None | Some("stream") => InvokeMode::Stream,
            Some("buffered") => InvokeMode::Buffered,
            Some(value) => {
                let (name, expected) = ("FAREGATE_INVOKE_MODE", "stream or buffered");
                return Err(InvalidSettings::Value { name, value: value.to_owned(), expected });
            }
        };
        let metrics_sink = match get("FAREGATE_METRICS_SINK").as_deref() {
            None | Some("cloudwatch") => Sink::Cloudwatch,
            Some("emf") => Sink::Emf,
            Some("off") => Sink::Off,
            Some(value) => {
                let (name, expected) = ("FAREGATE_METRICS_SINK", "cloudwatch, emf or off");
                return Err(InvalidSettings::Value { name, value: value.to_owned(), expected });
            }
        };
        let hosts = get("FAREGATE_TARGET_HOSTS");
        let split = |hosts: String| {
            hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect()
        };
        Ok(Self {
            config_table: or("FAREGATE_CONFIG_TABLE", "faregate-config"),
            keys_table: or("FAREGATE_KEYS_TABLE", "faregate-keys"),
            usage_table: or("FAREGATE_USAGE_TABLE", "faregate-usage"),
            gateway: or("FAREGATE_GATEWAY", "faregate"),
            invoke_mode,
            metrics_sink,
            log: or("FAREGATE_LOG", "warn"),
            otlp_endpoint: get("OTEL_EXPORTER_OTLP_ENDPOINT"),
            target_hosts: hosts.map(split),
            allow_loopback: switch("FAREGATE_ALLOW_LOOPBACK")?,
            allow_inline_secrets: switch("FAREGATE_ALLOW_INLINE_SECRETS")?,
            memory_mb: get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|text| text.parse().ok()).unwrap_or(128),
            runtime_api: get("AWS_LAMBDA_RUNTIME_API"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{InvokeMode, Settings};

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let get = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::read(get).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_needed() {
        let settings = read(&[("FAREGATE_CONFIG_TABLE", "")]).expect("settings");
        assert_eq!(settings.config_table, "faregate-config");
        assert_eq!(settings.invoke_mode, InvokeMode::Stream);
        assert!(!settings.allow_loopback && settings.target_hosts.is_none());
    }

    #[test]
    fn a_value_that_is_none_is_refused_by_name() {
        let wrong = [
            ("FAREGATE_INVOKE_MODE", "streamed"),
            ("FAREGATE_METRICS_SINK", "none"),
            ("FAREGATE_ALLOW_LOOPBACK", "yes"),
        ];
        for (name, value) in wrong {
            assert!(read(&[(name, value)]).expect_err("refused").contains(name));
        }
        let hosts = read(&[("FAREGATE_TARGET_HOSTS", "a.example, *.b.example,")]).expect("settings").target_hosts;
        assert_eq!(hosts, Some(vec!["a.example".to_owned(), "*.b.example".to_owned()]));
    }
}
