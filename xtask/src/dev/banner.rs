//! What the terminal shows when everything runs.

use std::path::Path;

use super::{DevArguments, configuration::Configuration, environment::StackEnvironment};

/// A route that needs nothing else, as somebody might add it while the gateway runs.
const ITEM: &str = r#"{"kind": {"S": "route"}, "id": {"S": "demo-tea"},
  "match": {"L": [{"M": {"path": {"M": {"exact": {"S": "/demo/tea"}}}}}]},
  "authenticate": {"S": "anonymous"},
  "respond": {"M": {"status": {"N": "418"}, "body": {"S": "short and stout\n"}}}}"#;

/// What brings cargo-lambda.
const GET_CARGO_LAMBDA: &str =
    "`pip install cargo-lambda` brings it, or `cargo xtask dev` without --stack-only, into the project's own folder";

/// What it is made of.
#[derive(Debug)]
pub(super) struct Banner<'a> {
    pub(super) arguments: &'a DevArguments,
    pub(super) environment: &'a StackEnvironment,
    pub(super) configuration: &'a Configuration,
    pub(super) key: &'a str,
    /// A token of the demo's issuer.
    pub(super) token: &'a str,
}

impl Banner<'_> {
    /// A path that the demo key leads through; of other configurations none is known.
    pub(super) fn path(&self) -> &'static str {
        if self.configuration.is_demo { "/demo/hello" } else { "/" }
    }

    /// For a gateway that answers.
    pub(super) fn ready(&self) -> String {
        let url = self.url();
        format!(
            "\n{}\n{}\n{}\nCtrl-C stops it all.\nready: {url}\n",
            self.places(Some(&url)),
            self.calls(),
            self.edits()
        )
    }

    /// For a gateway that is to be run by hand. Of cargo-lambda, if it is there, the folder where PATH lacks it.
    pub(super) fn stack_only(&self, cargo_lambda: Option<Option<&Path>>) -> String {
        let path = match cargo_lambda {
            Some(Some(folder)) => format!("export PATH=\"{}:$PATH\"\n", folder.display()),
            Some(None) => String::new(),
            None => format!("# cargo-lambda is missing: {GET_CARGO_LAMBDA}\n"),
        };
        let (port, exports) = (self.arguments.port, self.environment.exports());
        let (places, calls, edits) = (self.places(None), self.calls(), self.edits());
        format!(
            "\n{places}\nThe gateway by hand, in another terminal:\n\n{path}{exports}\n\
             cargo lambda watch -p gateway -A 127.0.0.1 -P {port} --disable-cors\n\
             cargo lambda invoke gateway -A 127.0.0.1 -P {port} --data-file events/function-url/get.json\n\n\
             Without -A it would listen on every address of this machine.\n\n{calls}\n{edits}\nCtrl-C stops it all.\n\
             stack ready: {} (no gateway yet)\n",
            self.environment.endpoint(),
        )
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.arguments.port)
    }

    fn places(&self, gateway: Option<&str>) -> String {
        let gateway = gateway.map(|url| format!("gateway    {url}\n")).unwrap_or_default();
        format!(
            "{gateway}DynamoDB   {}   tables faregate-config, faregate-keys, faregate-usage\n\
             backend    http://127.0.0.1:{}   answers with the request that it got\n\
             demo key   {}\n",
            self.environment.endpoint(),
            self.arguments.backend_port,
            self.key,
        )
    }

    /// Requests to try; of other configurations nothing is known.
    fn calls(&self) -> String {
        if !self.configuration.is_demo {
            return format!("Send the key as x-api-key:\n\n  curl -i {}/… -H 'x-api-key: {}'\n", self.url(), self.key);
        }
        let (url, key, token) = (self.url(), self.key, self.token);
        format!(
            "A request that goes through to the backend, and one that is streamed:\n\n  \
             curl -i {url}/demo/hello -H 'x-api-key: {key}'\n  \
             curl -N {url}/demo/sse -H 'x-api-key: {key}'\n\n\
             The same with a token of the local issuer (its key is new with each start), and one that is refused:\n\n  \
             curl -i {url}/demo/token -H 'authorization: Bearer {token}'\n  \
             curl -i {url}/demo/token -H 'authorization: Bearer {token}x'\n\n\
             Twelve calls of which a minute takes ten (429 after that):\n\n  \
             for i in $(seq 12); do curl -s -o /dev/null -w '%{{http_code}}\\n' {url}/demo/limited -H 'x-api-key: {key}'; done\n\n\
             An unknown key (401), no such route (404), a wrong method (405):\n\n  \
             curl -i {url}/demo/hello -H 'x-api-key: unknown'\n  \
             curl -i {url}/nowhere\n  \
             curl -i -X DELETE {url}/demo/hello -H 'x-api-key: {key}'\n"
        )
    }

    /// How to change the configuration.
    fn edits(&self) -> String {
        let variables = self.environment.aws();
        let variable = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default().to_owned();
        let (id, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
        let (region, endpoint) = (variable("AWS_REGION"), self.environment.endpoint());
        let credentials = format!("AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret}");
        format!(
            "Another route while it runs, in effect within seconds:\n\n  \
             {credentials} AWS_DEFAULT_REGION={region} \\\n  \
             aws dynamodb put-item --endpoint-url {endpoint} --table-name faregate-config --item '{ITEM}'\n\n  \
             curl -i {}/demo/tea\n\n\
             The command line on these tables; without these variables and this endpoint it goes to your own account:\n\n  \
             {credentials} AWS_REGION={region} \\\n  \
             cargo run -qp faregate-cli -- --endpoint-url {endpoint} status\n",
            self.url()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser as _;

    use super::{Banner, Configuration, ITEM, StackEnvironment};
    use crate::{Arguments, Command, workspace::Workspace};

    fn with_banner(arguments: &[&str], check: impl FnOnce(Banner<'_>)) {
        let arguments = Arguments::try_parse_from(["xtask", "dev"].iter().chain(arguments)).expect("arguments");
        let Command::Dev(arguments) = arguments.command else { panic!("not dev") };
        let configuration = Configuration::find(&arguments, &Workspace::of_this_checkout()).expect("the demo");
        let environment = StackEnvironment::new(8000);
        check(Banner {
            arguments: &arguments,
            environment: &environment,
            configuration: &configuration,
            key: "fg_k",
            token: "e30.e30.AAAA",
        });
    }

    #[test]
    fn the_last_line_says_where_it_answers() {
        with_banner(&["--port", "9001"], |banner| {
            let text = banner.ready();
            assert_eq!(text.lines().last(), Some("ready: http://127.0.0.1:9001"));
            assert!(text.contains("curl -i http://127.0.0.1:9001/demo/hello -H 'x-api-key: fg_k'"), "{text}");
            let cli = "AWS_REGION=eu-central-1 \\\n  cargo run -qp faregate-cli -- --endpoint-url http://127.0.0.1:8000 status\n";
            assert!(text.contains(cli), "{text}");
        });
    }

    #[test]
    fn the_stack_alone_prints_the_environment() {
        with_banner(&["--stack-only"], |banner| {
            let text = banner.stack_only(Some(Some(Path::new("/tools"))));
            assert!(text.contains("export PATH=\"/tools:$PATH\"\n"), "{text}");
            assert!(text.contains("export AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8000\n"), "{text}");
            assert!(text.contains("cargo lambda watch -p gateway -A 127.0.0.1 -P 9000"), "{text}");
            assert_eq!(text.lines().last(), Some("stack ready: http://127.0.0.1:8000 (no gateway yet)"));
            assert!(!banner.stack_only(Some(None)).contains("PATH"));
            let text = banner.stack_only(None);
            assert!(text.contains("# cargo-lambda is missing: `pip install cargo-lambda`"), "{text}");
        });
    }

    #[test]
    fn the_printed_item_is_json() {
        let item: serde_json::Value = serde_json::from_str(ITEM).expect("JSON");
        assert_eq!(item["kind"]["S"], "route");
    }
}
