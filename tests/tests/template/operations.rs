//! What each function really asks DynamoDB for, beside what its role lets it: a permission that is missing shows here, and so
//! does one that nobody uses.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::KeyAdmin;
use faregate_testing::dynamodb::TableNames;
use faregate_tests::{Backend, Call, DynamoDbProxy, Stores, send};
use http::Request;
use serde_json::{Value, json};

use super::permissions::statements;

const KEY: &str = "a key of the consumer acme";

/// What is done to which table of the template.
type Act = (String, &'static str);

/// What a role may do to tables, and with items of which kinds, where that is bounded.
fn allowed(role: &str) -> BTreeMap<Act, Option<Vec<String>>> {
    let mut allowed = BTreeMap::new();
    for statement in statements() {
        let of_role = statement.strip_prefix(role).and_then(|rest| rest.split_once(": Allow "));
        let Some((actions, resource)) = of_role.and_then(|(_, rest)| rest.split_once(" on !GetAtt ")) else { continue };
        let tables = ["ConfigTable", "KeysTable", "UsageTable"];
        let is_it = |table: &&str| resource.strip_prefix(*table).is_some_and(|rest| rest.starts_with(".Arn"));
        let Some(table) = tables.into_iter().find(is_it) else { continue };
        let kinds = resource.split_once("LeadingKeys: [").and_then(|(_, rest)| rest.split_once(']'));
        let kinds = kinds.map(|(kinds, _)| kinds.split(", ").map(str::to_owned).collect());
        for action in actions.trim_matches(['[', ']']).split(", ") {
            let action = action.strip_prefix("dynamodb:").expect("an action on a table").to_owned();
            assert!(allowed.insert((action, table), kinds.clone()).is_none(), "twice: {statement}");
        }
    }
    allowed
}

/// What DynamoDB asks permission for: a transaction is the writes in it.
fn acts(call: &Call, tables: &TableNames) -> Vec<(Act, Option<String>)> {
    let parts: Vec<(String, &Value)> = match &*call.operation {
        "TransactWriteItems" => {
            let writes = call.parameters["TransactItems"].as_array().expect("writes").iter();
            let parts = writes.flat_map(|write| write.as_object().expect("a write"));
            parts.map(|(name, parameters)| (format!("{name}Item"), parameters)).collect()
        }
        operation => vec![(operation.to_owned(), &call.parameters)],
    };
    let act = |(action, parameters): (String, &Value)| {
        let table = match parameters["TableName"].as_str().expect("a table") {
            name if name == tables.config => "ConfigTable",
            name if name == tables.keys => "KeysTable",
            name if name == tables.usage => "UsageTable",
            other => panic!("{action} on {other}"),
        };
        let places = ["/Key/kind/S", "/Item/kind/S", "/ExpressionAttributeValues/:kind/S"];
        let kind = places.iter().find_map(|place| parameters.pointer(place)?.as_str().map(str::to_owned));
        ((action, table), kind)
    };
    parts.into_iter().map(act).collect()
}

/// Holds what was asked against the role; yields what the role lets do that was never asked.
fn unused(role: &str, calls: &[Call], tables: &TableNames) -> BTreeSet<Act> {
    let allowed = allowed(role);
    let mut unused: BTreeSet<Act> = allowed.keys().cloned().collect();
    for (act, kind) in calls.iter().flat_map(|call| acts(call, tables)) {
        let kinds = allowed.get(&act).unwrap_or_else(|| panic!("{role} may not do {act:?}"));
        if let Some(kinds) = kinds {
            let kind = kind.unwrap_or_else(|| panic!("{act:?} of no kind"));
            let fits = |pattern: &String| match pattern.strip_suffix('*') {
                Some(start) => kind.starts_with(start),
                None => *pattern == kind,
            };
            assert!(kinds.iter().any(fits), "{role} may not do {act:?} with {kind}");
        }
        unused.remove(&act);
    }
    unused
}

async fn recorded(stores: &Stores) -> DynamoDbProxy {
    DynamoDbProxy::recording(stores.dynamodb().address()).await.expect("a proxy")
}

#[tokio::test]
async fn the_gateways_role_lets_it_do_what_it_does() {
    let backend = Backend::echo("b").await.expect("a backend");
    let stores = Stores::start().await.expect("tables");
    let document = json!({
        "settings": {"refresh_seconds": 1, "metrics": {"sink": "off"}},
        "backends": [{"id": "b", "targets": [{"url": backend.url()}]}],
        "plans": [{"id": "gold", "limits": [{"id": "daily", "limit": 1000, "per": "day"}]}],
        "routes": [{"id": "all", "authenticate": "api_key", "limits": ["plan"], "forward": {"backend": "b"}}],
    });
    stores.apply(&document).await.expect("applied");
    let item = json!({"key_hash": KeyHash::of(KEY.as_bytes()).as_str(), "consumer": "acme", "plan": "gold"});
    assert!(stores.keys().create(item.as_object().cloned().expect("an item")).await.expect("a table"));
    let proxy = recorded(&stores).await;
    let gateway = stores.gateway().expect("a driver").env("AWS_ENDPOINT_URL_DYNAMODB", proxy.url());
    let gateway = gateway.start().await.expect("an environment");
    for _ in 0..10 {
        let request = Request::get("/").header("host", "api.example.com").header("x-api-key", KEY);
        let answer = send(gateway.address(), request.body(Bytes::new()).expect("a request")).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    }
    // What it holds goes back.
    gateway.shutdown().await;
    // A limit that is exhausted is looked at before it is asked again, some seconds later.
    let rest = BTreeSet::from([("GetItem".to_owned(), "UsageTable")]);
    assert_eq!(unused("GatewayRole ", &proxy.seen().expect("recorded"), stores.tables()), rest);
}

#[tokio::test]
async fn the_publishers_role_lets_it_do_what_it_does() {
    let stores = Stores::start().await.expect("tables");
    let proxy = recorded(&stores).await;
    let publisher = stores.function("publisher").expect("a driver").env("AWS_ENDPOINT_URL_DYNAMODB", proxy.url());
    let publisher = publisher.env("FAREGATE_METRICS_SINK", "off").start().await.expect("an environment");
    let publish = async |body: &Value| {
        let route = json!({
            "kind": {"S": "route"}, "id": {"S": "r"}, "authenticate": {"S": "anonymous"},
            "match": {"L": [{"M": {"path": {"S": "/here"}}}]}, "respond": {"M": {"body": body}},
        });
        let put = json!({"TableName": stores.tables().config, "Item": route});
        stores.dynamodb().call("PutItem", &put).await.expect("written");
        publisher.invoke(&json!({"Records": []})).await.expect("an answer").json().expect("JSON")
    };
    // One more than are kept; then the same again, and one that is refused.
    for version in 1..=11 {
        assert_eq!(publish(&json!({"S": format!("{version}")})).await, json!({"published": version}));
    }
    assert_eq!(publish(&json!({"S": "11"})).await["unchanged"], 11);
    assert!(publish(&json!({"N": "1"})).await["refused"].is_number());
    publisher.shutdown().await;
    assert_eq!(unused("PublisherRole ", &proxy.seen().expect("recorded"), stores.tables()), BTreeSet::new());
}
