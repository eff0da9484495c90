//! 21: floods of keys and addresses that nobody has seen before, and of one address that has nothing left, cost next to no
//! reads and writes, and a paying consumer goes on meanwhile with what it holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    ops::Range,
};

use bytes::Bytes;
use faregate_testing::driver::Driver;
use faregate_tests::{Backend, DynamoDbProxy, Stores};
use futures_util::{StreamExt, stream};
use http::Request;
use serde_json::{Value, json};

use super::{AT_ONCE, ENVIRONMENTS, create_key, lasting, limited, with_key};
use crate::support::request;

/// Requests of each flood of what is new, and of one address.
const FLOOD: u32 = 20_000;
const FROM_ONE: u32 = 4000;
/// Of those from new addresses, how many come with paying requests among them, and one in how many of all is one then. The
/// others come alone: an account that is used again and again would survive among any others.
const MIXED: u32 = 5000;
const PAYING_EVERY: u32 = 50;
/// So many accounts an environment holds of whoever comes.
const ACCOUNTS_MAX: usize = 1024;
/// How many addresses are admitted before the route has nothing left, and how many requests of one address.
const ADMITTED: usize = 10;
/// So many requests a round of paying ones has.
const ROUND: usize = 160;
const ROUNDS_MAX: usize = 10;
/// How the environments' counter of the paying consumer is called.
const COUNTER: &str = "plan|c#acme";

/// Environments for the flood of keys: how many of those are looked up each is bounded in time, and a slow machine has to be
/// a flood all the same.
const ENVIRONMENTS_FOR_KEYS: usize = 4;

/// Environments, and all that they ask of DynamoDB.
struct Gateway {
    environments: usize,
    _backend: Backend,
    _stores: Stores,
    proxy: DynamoDbProxy,
    driver: Driver,
}

impl Gateway {
    /// A route with a key, one of which some addresses have permits, and one of which all together have a few.
    async fn start(environments: usize) -> Self {
        let backend = Backend::echo("b").await.expect("a backend");
        let window = lasting();
        // A first block of it is a hundred-thousandth, which is more than this test spends.
        let mut document =
            limited(&backend, &json!({"id": "yearly", "limit": 1_000_000_000, "window_seconds": window}));
        // Environments that ask for a newer snapshot are not what is counted here.
        document["settings"]["refresh_seconds"] = json!(60);
        let limit =
            |id: &str, limit: usize, by: &str| json!({"id": id, "limit": limit, "window_seconds": window, "by": by});
        let route = |id: &str, limits: Value| {
            json!({"id": id, "match": [{"path": format!("/{id}")}], "authenticate": "anonymous", "limits": limits,
                   "forward": {"backend": "b"}})
        };
        let routes = document["routes"].as_array_mut().expect("routes");
        routes.push(route("one", json!([limit("address", ADMITTED, "ip")])));
        routes.push(route("new", json!([limit("all", ADMITTED, "route"), limit("address", 5, "ip")])));
        let stores = Stores::start().await.expect("stores");
        stores.apply(&document).await.expect("applied");
        create_key(&stores).await;
        let proxy = DynamoDbProxy::recording(stores.dynamodb().address()).await.expect("a proxy");
        let driver = stores.gateway().expect("a driver").environments(environments);
        let driver = driver.env("AWS_ENDPOINT_URL_DYNAMODB", proxy.url()).start().await.expect("environments");
        Self { environments, _backend: backend, _stores: stores, proxy, driver }
    }

    /// Sends all of them; the statuses of their answers.
    async fn send(&self, requests: impl Iterator<Item = Request<Bytes>>) -> Vec<u16> {
        let sent = stream::iter(requests).map(|request| faregate_tests::send(self.driver.address(), request));
        sent.buffer_unordered(AT_ONCE).map(|answer| answer.expect("an answer").status.as_u16()).collect().await
    }

    /// Sends a flood, and the requests of the paying consumer among it, all of which are admitted; the statuses of the flood.
    async fn send_mixed(&self, flood: impl Iterator<Item = Request<Bytes>>) -> Vec<u16> {
        let answers = stream::iter(flood.enumerate()).map(|(number, request)| async move {
            let answer = faregate_tests::send(self.driver.address(), request).await.expect("an answer");
            if number % PAYING_EVERY as usize == 0 {
                let paying = faregate_tests::send(self.driver.address(), with_key("secret")).await.expect("an answer");
                assert_eq!(paying.status.as_u16(), 200, "{}", paying.text());
            }
            answer.status.as_u16()
        });
        answers.buffer_unordered(AT_ONCE).collect().await
    }

    /// Reads and writes of items so far.
    fn calls(&self) -> usize {
        self.recorded(|operation, _| operation.ends_with("Item"))
    }

    /// How often the paying consumer's counter was written to: permits taken, refused and given back alike.
    fn payers_writes(&self) -> usize {
        self.recorded(|operation, parameters| operation == "UpdateItem" && parameters["Key"]["id"]["S"] == COUNTER)
    }

    fn recorded(&self, is_counted: impl Fn(&str, &Value) -> bool) -> usize {
        let calls = self.proxy.seen().expect("it records");
        calls.iter().filter(|call| is_counted(&call.operation, &call.parameters)).count()
    }

    /// How many invocations each environment has had since there were so many.
    fn invocations_since(&self, number: u64) -> BTreeMap<usize, usize> {
        let invocations = self.driver.invocations();
        assert_eq!(invocations.len() as u64, self.driver.invocations_total(), "some are forgotten");
        let mut counted = BTreeMap::new();
        for invocation in invocations.iter().skip(usize::try_from(number).expect("a number")) {
            *counted.entry(invocation.environment).or_default() += 1;
        }
        counted
    }

    /// A round of paying requests: their statuses, and how many environments answered them.
    async fn paying_round(&self) -> (BTreeSet<u16>, usize) {
        let before = self.driver.invocations_total();
        let statuses = self.send((0..ROUND).map(|_| with_key("secret"))).await;
        (statuses.into_iter().collect(), self.invocations_since(before).len())
    }

    /// Lets the paying consumer call until every environment holds permits of it; how often its counter was written to for
    /// that. On a slow machine the store's answers may be late at first.
    async fn warm_up(&self) -> usize {
        for _ in 0..ROUNDS_MAX {
            let before = self.payers_writes();
            let round = self.paying_round().await;
            if round == ([200].into(), self.environments) && self.payers_writes() == before {
                assert!(before >= self.environments, "{before} writes brought permits to all environments");
                return before;
            }
        }
        panic!("after {ROUNDS_MAX} rounds there are environments without permits");
    }

    /// Every environment admits the paying consumer.
    async fn admits_the_payer_everywhere(&self) {
        let mut rounds = 0;
        loop {
            let (statuses, environments) = self.paying_round().await;
            assert_eq!(statuses, [200].into());
            if environments == self.environments {
                return;
            }
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "requests never came to more than {environments} environments");
        }
    }
}

fn from(address: u32, path: &str) -> Request<Bytes> {
    let sent = request("GET", path).header("x-driver-source-ip", Ipv4Addr::from(address).to_string());
    sent.body(Bytes::new()).expect("a request")
}

fn with_made_up_key(number: u32) -> Request<Bytes> {
    let mut sent = from(0x0b00_0000 + number, "/");
    sent.headers_mut().insert("x-api-key", format!("made up {number}").parse().expect("a value"));
    sent
}

/// SECURITY.md 21.
fn assert_cheap(calls: usize, refused: usize) {
    assert!(calls * 10 <= refused, "{calls} reads and writes for {refused} refused requests");
}

#[tokio::test]
async fn a_flood_of_fresh_addresses_costs_next_to_nothing_and_takes_no_permits_from_who_pays() {
    let gateway = Gateway::start(ENVIRONMENTS).await;
    let writes = gateway.warm_up().await;
    let before = gateway.calls();
    let fresh = |numbers: Range<u32>| numbers.map(|number| from(0x0d00_0000 + number, "/new"));
    let mut statuses = gateway.send_mixed(fresh(0..MIXED)).await;
    let invoked = gateway.driver.invocations_total();
    statuses.extend(gateway.send(fresh(MIXED..FLOOD)).await);
    let accounts = gateway.invocations_since(invoked);
    assert!(accounts.len() == ENVIRONMENTS && accounts.values().all(|new| *new > ACCOUNTS_MAX), "{accounts:?}");
    assert_cheap(gateway.calls() - before, refused_of(&statuses));
    gateway.admits_the_payer_everywhere().await;
    assert_eq!(gateway.payers_writes(), writes, "what the payer holds did not survive");

    let before = gateway.calls();
    let statuses = gateway.send((0..FROM_ONE).map(|_| from(0x0c00_0001, "/one"))).await;
    assert_cheap(gateway.calls() - before, refused_of(&statuses));
    gateway.admits_the_payer_everywhere().await;
    assert_eq!(gateway.payers_writes(), writes, "what the payer holds did not survive");
    assert_few_lines(&gateway, 2);
}

#[tokio::test]
async fn a_flood_of_made_up_keys_costs_next_to_nothing_and_takes_no_permits_from_who_pays() {
    let gateway = Gateway::start(ENVIRONMENTS_FOR_KEYS).await;
    let writes = gateway.warm_up().await;
    let before = gateway.calls();
    let statuses = gateway.send_mixed((0..FLOOD).map(with_made_up_key)).await;
    assert!(statuses.iter().all(|status| [401, 503].contains(status)));
    assert!(statuses.contains(&503), "over the budget it is not said that a key is wrong");
    assert_cheap(gateway.calls() - before, statuses.len());
    gateway.admits_the_payer_everywhere().await;
    assert_eq!(gateway.payers_writes(), writes, "what the payer holds did not survive");
    assert_few_lines(&gateway, 1);
}

/// How many were refused: all but a few.
fn refused_of(statuses: &[u16]) -> usize {
    let count = |status| statuses.iter().filter(|known| **known == status).count();
    let (admitted, used_up, unavailable) = (count(200), count(429), count(503));
    assert!(admitted <= ADMITTED && admitted + used_up + unavailable == statuses.len(), "{admitted} admitted");
    // On a slow machine an answer of the store may be late, which is a 503.
    assert!(used_up >= statuses.len() / 2, "{used_up} told that nothing is left");
    used_up + unavailable
}

/// Ten refused requests a second leave a line in each environment.
fn assert_few_lines(gateway: &Gateway, floods: usize) {
    let lines = gateway.driver.log_lines();
    let refused = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok()).filter_map(|line| {
        let is_refused = line["type"] == "request" && [401, 429, 503].map(Value::from).contains(&line["status"]);
        is_refused.then(|| line["timestamp"].as_str().expect("a time").chars().take(19).collect::<String>())
    });
    let mut seconds = BTreeMap::<String, usize>::new();
    refused.for_each(|second| *seconds.entry(second).or_default() += 1);
    // A line may stand in the second in which its request came, and count in the one in which it ended.
    let most = 10 * gateway.environments * (seconds.len() + floods);
    let written: usize = seconds.values().sum();
    assert!((1..=most).contains(&written), "{written} lines of refused requests, {most} at most: {seconds:?}");
}
