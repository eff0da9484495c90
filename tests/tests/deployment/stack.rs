//! A deployed stack and its user.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_tests::{Answer, LocalAws, send};
use http::{Request, header};
use serde_json::{Value, json};
use tokio::{io::copy_bidirectional, net::TcpListener, task::JoinHandle, time::timeout};

/// What `cargo xtask test` had `sam build` make, seen from the checkout.
const BUILT: &str = ".faregate/sam/template.yaml";
const NAME: &str = "faregate-test";
/// Which parameters are deployed by default, and in production.
const PROFILES: &str = include_str!("../../../samconfig.toml");
const REGION: &str = "us-east-1";

/// The stream is asked once a second, the publisher starts, and the gateway looks once a second.
const SERVES_WITHIN: Duration = Duration::from_secs(60);

/// The key of the consumer `acme`.
pub(crate) const KEY: &str = "a key of the consumer acme";

/// What `samconfig.toml` has parameters for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    Dev,
    Prod,
}

impl Profile {
    /// Its parameters, as `sam deploy` takes them on the command line.
    fn parameters(self) -> Vec<&'static str> {
        let section = match self {
            Self::Dev => "[default.deploy.parameters]",
            Self::Prod => "[prod.deploy.parameters]",
        };
        let of_section = PROFILES.split_once(section).expect("the profile").1.split("\n[").next().expect("its lines");
        let overrides = of_section.lines().find_map(|line| line.strip_prefix("parameter_overrides = \""));
        let quoted = overrides.and_then(|rest| rest.strip_suffix('"')).expect("parameters in quotes");
        quoted.split_whitespace().collect()
    }

    /// The gateway's name, which is the dimension of its metrics.
    fn gateway(self) -> &'static str {
        let named = self.parameters().into_iter().find_map(|parameter| parameter.strip_prefix("GatewayName="));
        named.expect("each profile has its own")
    }
}

/// The stack [`NAME`].
pub(crate) struct Stack {
    pub(crate) aws: LocalAws,
    profile: Profile,
    outputs: BTreeMap<String, String>,
    /// How many requests the gateway answered.
    pub(crate) answered: usize,
    /// How many of them with a status from 400 to 499.
    pub(crate) answered_4xx: usize,
}

impl Stack {
    /// `sam deploy` of what `sam build` made.
    pub(crate) async fn deploy(aws: LocalAws, profile: Profile) -> Self {
        let mut stack = Self { aws, profile, outputs: BTreeMap::new(), answered: 0, answered_4xx: 0 };
        stack.redeploy(profile).await;
        stack
    }

    /// The same with the parameters of a profile. The architecture is this machine's, so that all are on the command line.
    pub(crate) async fn redeploy(&mut self, profile: Profile) {
        self.profile = profile;
        let deploy = ["deploy", "--template-file", BUILT, "--stack-name", NAME, "--region", REGION];
        let more =
            ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--parameter-overrides"];
        self.aws
            .sam(&[&deploy[..], &more, &["Architecture=x86_64"], &profile.parameters()].concat())
            .await
            .expect("sam deploy (`cargo xtask test` builds)");
        let described = self.aws.cli(&["cloudformation", "describe-stacks", "--stack-name", NAME]).await.expect("it");
        let outputs = described["Stacks"][0]["Outputs"].as_array().expect("outputs");
        let text = |output: &Value, name: &str| output[name].as_str().expect("a text").to_owned();
        self.outputs = outputs.iter().map(|output| (text(output, "OutputKey"), text(output, "OutputValue"))).collect();
    }

    /// Lets the deployed gateway reach backends on this machine, which no template can, and CloudWatch under another port.
    pub(crate) async fn allow_loopback(&self, cloudwatch_port: u16) {
        let function = self.output("GatewayFunctionName");
        let get = ["lambda", "get-function-configuration", "--function-name", function];
        let mut environment = self.aws.cli(&get).await.expect("a configuration")["Environment"].clone();
        environment["Variables"]["FAREGATE_ALLOW_LOOPBACK"] = json!("1");
        environment["Variables"]["AWS_ENDPOINT_URL_CLOUDWATCH"] = json!(format!("http://127.0.0.1:{cloudwatch_port}"));
        let environment = environment.to_string();
        let update =
            ["lambda", "update-function-configuration", "--function-name", function, "--environment", &environment];
        self.aws.cli(&update).await.expect("an update");
    }

    /// A backend, a plan of five requests a day, a route for callers with a key and a plan, and a key.
    pub(crate) async fn put_configuration(&self, backend: &str) {
        let settings = json!({
            "kind": {"S": "settings"}, "id": {"S": "gateway"},
            "refresh_seconds": {"N": "1"},
            "access_log": {"M": {"sample": {"N": "1"}}},
            "metrics": {"M": {"flush_seconds": {"N": "1"}}},
        });
        let backend = json!({
            "kind": {"S": "backend"}, "id": {"S": "orders"},
            "targets": {"L": [{"M": {"url": {"S": backend}}}]},
        });
        let plan = json!({
            "kind": {"S": "plan"}, "id": {"S": "small"},
            "limits": {"L": [{"M": {"id": {"S": "daily"}, "limit": {"N": "5"}, "per": {"S": "day"}}}]},
        });
        let route = json!({
            "kind": {"S": "route"}, "id": {"S": "orders"},
            "match": {"L": [{"M": {"path": {"M": {"prefix": {"S": "/orders"}}}}}]},
            "authenticate": {"S": "api_key"},
            "limits": {"L": [{"S": "plan"}]},
            "forward": {"M": {"backend": {"S": "orders"}}},
        });
        let key = json!({
            "key_hash": {"S": KeyHash::of(KEY.as_bytes()).as_str()}, "consumer": {"S": "acme"}, "plan": {"S": "small"},
        });
        for item in [settings, backend, plan, route] {
            self.put("ConfigTableName", &item).await;
        }
        self.put("KeysTableName", &key).await;
    }

    async fn put(&self, table: &str, item: &Value) {
        let item = item.to_string();
        let put = ["dynamodb", "put-item", "--table-name", self.output(table), "--item", &item];
        self.aws.cli(&put).await.expect("an item");
    }

    /// Whether the table is there, with items in it.
    pub(crate) async fn has_items(&self, table: &str) -> bool {
        let scan = ["dynamodb", "scan", "--table-name", self.output(&format!("{table}TableName")), "--select", "COUNT"];
        match self.aws.cli(&scan).await {
            Ok(scanned) => scanned["Count"].as_u64().expect("a count") > 0,
            Err(error) => {
                assert!(error.to_string().contains("ResourceNotFoundException"), "{error}");
                false
            }
        }
    }

    /// Status and body of a request to the function URL.
    pub(crate) async fn get(&mut self, path: &str, key: Option<&str>) -> (u16, Value) {
        let url = self.output("GatewayUrl");
        let host = url.trim_start_matches("https://").trim_end_matches('/');
        let mut request = Request::get(path).header(header::HOST, host);
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        let request = request.body(Bytes::new()).expect("a request");
        let answer: Answer = send(self.aws.address().expect("an address"), request).await.expect("an answer");
        self.answered += 1;
        self.answered_4xx += usize::from(answer.status.is_client_error());
        (answer.status.as_u16(), answer.json().unwrap_or_else(|_| panic!("{}", answer.text())))
    }

    /// Status and code of a request that is refused.
    pub(crate) async fn refusal(&mut self, path: &str, key: Option<&str>) -> (u16, String) {
        let (status, body) = self.get(path, key).await;
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The same, again and again until there is a configuration that has an answer: the stream tells the publisher. Before each
    /// try the table is looked into by a program of its own, which takes longer than a tenth of a second: of ten refusals a
    /// second each leaves its line.
    pub(crate) async fn get_once_it_serves(&mut self, path: &str, key: Option<&str>) -> (u16, Value) {
        let serving = async {
            loop {
                while !self.is_published().await {}
                let (status, body) = self.get(path, key).await;
                if !(status == 503 || status == 404) {
                    return (status, body);
                }
            }
        };
        timeout(SERVES_WITHIN, serving).await.expect("a configuration that serves")
    }

    /// Whether the publisher has published anything.
    async fn is_published(&self) -> bool {
        let key = json!({"kind": {"S": "snapshot"}, "id": {"S": "current"}}).to_string();
        let get = ["dynamodb", "get-item", "--table-name", self.output("ConfigTableName"), "--key", &key];
        self.aws.cli(&get).await.expect("an answer")["Item"].is_object()
    }

    /// The sum of a metric of this gateway in CloudWatch.
    pub(crate) async fn metric_sum(&self, name: &str) -> f64 {
        let dimension = format!("Name=Gateway,Value={}", self.profile.gateway());
        let get = ["cloudwatch", "get-metric-statistics", "--namespace", "Faregate", "--metric-name", name];
        let of = ["--dimensions", &dimension, "--period", "60", "--statistics", "Sum"];
        let times = ["--start-time", "2020-01-01T00:00:00Z", "--end-time", "2100-01-01T00:00:00Z"];
        let told = self.aws.cli(&[&get[..], &of, &times].concat()).await.expect("a metric");
        let points = told["Datapoints"].as_array().expect("points").iter();
        points.map(|point| point["Sum"].as_f64().expect("a sum")).sum()
    }

    /// Lines of the gateway's log group that are records.
    pub(crate) async fn records(&self) -> Vec<Value> {
        let filter = ["logs", "filter-log-events", "--log-group-name", self.output("GatewayLogGroupName")];
        let events = self.aws.cli(&filter).await.expect("events");
        let lines = events["events"].as_array().expect("events").iter().filter_map(|event| event["message"].as_str());
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["request_id"].is_string())
            .collect()
    }

    /// For how many days the log group of a function (`Gateway`, `Publisher`) keeps its lines.
    pub(crate) async fn retention_days(&self, function: &str) -> Option<u64> {
        let name = self.output(&format!("{function}LogGroupName"));
        let describe = ["logs", "describe-log-groups", "--log-group-name-prefix", name];
        let described = self.aws.cli(&describe).await.expect("log groups");
        let groups = described["logGroups"].as_array().expect("groups");
        groups.iter().find(|group| group["logGroupName"] == name)?["retentionInDays"].as_u64()
    }

    /// The metrics that alarms of the stack watch.
    pub(crate) async fn alarmed(&self) -> BTreeSet<String> {
        let described = self.aws.cli(&["cloudwatch", "describe-alarms"]).await.expect("alarms");
        let alarms = described["MetricAlarms"].as_array().expect("alarms").iter();
        alarms.map(|alarm| alarm["MetricName"].as_str().expect("a name").to_owned()).collect()
    }

    /// What the Config and Keys tables hold, item by item, and the keys of the counters: their rest moves.
    pub(crate) async fn data(&self) -> [Vec<String>; 3] {
        let whole = |items: Vec<Value>| items.iter().map(Value::to_string).collect();
        let [config, keys, usage] = [self.items("Config").await, self.items("Keys").await, self.items("Usage").await];
        [whole(config), whole(keys), whole(usage.iter().map(|item| item["id"].clone()).collect())]
    }

    /// What a table holds, in order, but for the publisher's status, which says when it last looked.
    pub(crate) async fn items(&self, table: &str) -> Vec<Value> {
        let scan = ["dynamodb", "scan", "--table-name", self.output(&format!("{table}TableName"))];
        let scanned = self.aws.cli(&scan).await.expect("a table");
        let items = scanned["Items"].as_array().expect("items").iter();
        let mut items: Vec<Value> = items.filter(|item| item["kind"]["S"] != "status").cloned().collect();
        items.sort_by_key(Value::to_string);
        items
    }

    /// `sam delete`.
    pub(crate) async fn delete(&self) {
        self.aws.sam(&["delete", "--stack-name", NAME, "--region", REGION, "--no-prompts"]).await.expect("sam delete");
    }

    fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name}"))
    }
}

/// Passes connections to this port on to AWS, from now on.
pub(crate) async fn pass_on(port: u16, aws: &LocalAws) -> JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port");
    let address = aws.address().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Ok(mut server) = tokio::net::TcpStream::connect(address).await {
                    // Either end may go at any time.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    })
}
