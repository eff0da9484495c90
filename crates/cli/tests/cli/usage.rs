//! Usage, and permits given and taken by hand.

use serde_json::{Value, json};

use crate::support::Stack;

const PLANS: &str = "
plans:
  - { id: gold, limits: [{ id: monthly, limit: 1000, per: month }, { id: hourly, limit: 50, per: hour }, { id: peak, limit: 1, per: hour, mode: burst, burst: 20 }] }
routes:
  - { id: r, authenticate: api_key, limits: [plan], respond: {} }
";

/// A counter as gateways write it, and a month's sum; the windows are those of now.
async fn stack() -> (Stack, u64) {
    let stack = Stack::start().await;
    let file = stack.file("faregate.yaml", PLANS);
    stack.run(&["apply", &file]).exits(0);
    let since = std::process::Command::new("date").args(["-u", "+%s %Y %m"]).output().expect("a date");
    let text = String::from_utf8(since.stdout).expect("UTF-8");
    let numbers: Vec<u64> = text.split_whitespace().map(|part| part.parse().expect("a number")).collect();
    let (month, hour) = ((numbers[1] - 1970) * 12 + numbers[2] - 1, numbers[0] / 3600);
    let number = |value: u64| json!({"N": value.to_string()});
    let (m, h) = (format!("monthly.M{}", month % 2), format!("hourly.h{}", hour % 2));
    let item = json!({
        "id": {"S": "plan|c#acme"},
        format!("{m}i"): number(month), format!("{m}u"): number(120), format!("{m}s"): number(100),
        format!("{h}i"): number(hour), format!("{h}u"): number(5), format!("{h}s"): number(4),
        "cost.2024-02": number(1_234_567), "requests.2024-02": number(4321),
        // Four hours less a minute: four permits have not come back.
        "peak.b": number((numbers[0] + 14_340) * 1_000_000),
    });
    stack.put("faregate-usage", item).await;
    let month = json!({
        "id": {"S": "u#acme#2024-02"}, "plan|monthly.M": number(777), "plan|daily.d": number(2500),
        "requests": number(88), "cost": number(5_000_000),
    });
    stack.put("faregate-usage", month).await;
    stack.run(&["key", "create", "--consumer", "acme", "--plan", "gold"]).exits(0);
    (stack, hour)
}

fn line<'a>(report: &'a Value, limit: &str) -> &'a Value {
    let lines = report["limits"].as_array().expect("lines");
    lines.iter().find(|line| line["limit"] == limit).expect("the limit")
}

#[test]
fn prices_have_a_date_and_need_no_table() {
    let said = crate::support::offline(&["prices"], "").exits(0);
    assert!(said.stdout.starts_with("us-east-1, 2026-") && said.stdout.contains("$0.200000  request: "), "{said:?}");
    assert_eq!(crate::support::offline(&["prices", "--json"], "").exits(0).json()["write_unit"], 625);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_what_was_spent_of_each_window_and_month() {
    let (stack, _) = stack().await;
    for arguments in [&["usage", "--json", "--consumer", "acme"][..], &["usage", "--json"]] {
        let report = stack.run(arguments).exits(0).json();
        let monthly = line(&report, "monthly");
        assert_eq!((&monthly["used"], &monthly["granted"], &monthly["of"]), (&json!(100), &json!(120), &json!(1000)));
        assert_eq!((&monthly["owner"], &monthly["scope"]), (&json!("plan"), &json!("c#acme")));
        assert_eq!(line(&report, "hourly")["of"], 50);
        assert_eq!((&line(&report, "peak")["used"], &line(&report, "peak")["of"]), (&json!(4), &json!(20)));
    }
    let report = stack.run(&["usage", "--json", "--consumer", "acme", "--period", "2024-02"]).exits(0).json();
    assert_eq!(report["limits"].as_array().map(Vec::len), Some(2));
    let requests = [("none", 88), ("plan", 4321)];
    let requests = requests.map(|(owner, requests)| json!({"scope": "c#acme", "owner": owner, "requests": requests}));
    assert_eq!(report["requests"], json!(requests));
    assert_eq!((&line(&report, "monthly")["used"], &line(&report, "monthly")["of"]), (&json!(777), &json!(1000)));
    // A month's days together have no limit.
    assert_eq!((&line(&report, "daily")["used"], &line(&report, "daily")["of"]), (&json!(2500), &Value::Null));
    let of_february = ["usage", "--consumer", "acme", "--period", "2024-02", "--cost"];
    assert_eq!(report["costs"], Value::Null);
    let said = stack.run(&of_february).exits(0);
    assert!(said.stdout.contains("c#acme  plan  $0.001235 in 2024-02"), "{said:?}");
    assert!(said.stdout.contains("c#acme  none  $0.005000 in 2024-02"), "{said:?}");
    assert!(said.stdout.contains("c#acme  plan  4321 requests in 2024-02"), "{said:?}");
    assert!(said.stdout.contains("c#acme  none  88 requests in 2024-02"), "{said:?}");
    assert!(said.stderr.contains("4 lines"), "{said:?}");
    assert!(said.stdout.contains("plan  daily  2500  2024-02, windows that are over"), "{said:?}");
    let said = stack.run(&["usage", "--consumer", "acme"]).exits(0);
    assert!(said.stdout.contains("monthly  100 of 1000, 120 granted"), "{said:?}");
    assert_eq!(stack.run(&["usage", "--json", "--key", "0123"]).exits(0).json()["limits"], json!([]));
    stack.run(&["usage", "--period", "2024-13"]).exits(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_a_key_is_its_own() {
    let (stack, hour) = stack().await;
    let created = stack.run(&["key", "create", "--consumer", "other", "--plan", "gold", "--json"]).exits(0).json();
    let hash = created["item"]["key_hash"].as_str().expect("a hash").to_owned();
    let item = json!({
        "key_hash": {"S": hash}, "consumer": {"S": "other"}, "plan": {"S": "gold"}, "created_at": {"N": "1"},
        "limits": {"L": [{"M": {"id": {"S": "hourly"}, "limit": {"N": "7"}}}]},
    });
    stack.put("faregate-keys", item).await;
    // Numbers of keys that do not work any more are nobody's.
    let disabled = json!({
        "key_hash": {"S": "0".repeat(64)}, "consumer": {"S": "other"}, "created_at": {"N": "1"}, "enabled": {"BOOL": false},
        "limits": {"L": [{"M": {"id": {"S": "hourly"}, "limit": {"N": "999"}}}]},
    });
    stack.put("faregate-keys", disabled).await;
    let slot = format!("hourly.h{}", hour % 2);
    let number = |value: u64| json!({"N": value.to_string()});
    for scope in [format!("k#{}", &hash[..32]), "c#other".to_owned()] {
        let item = json!({
            "id": {"S": format!("plan|{scope}")},
            format!("{slot}i"): number(hour), format!("{slot}u"): number(5), format!("{slot}s"): number(4),
        });
        stack.put("faregate-usage", item).await;
    }
    let report = stack.run(&["usage", "--json", "--key", &hash]).exits(0).json();
    assert_eq!((&line(&report, "hourly")["used"], &line(&report, "hourly")["of"]), (&json!(4), &json!(7)));
    let report = stack.run(&["usage", "--json"]).exits(0).json();
    let lines = report["limits"].as_array().expect("lines").iter().filter(|line| line["limit"] == "hourly");
    let mut numbers: Vec<(&Value, &Value)> = lines.map(|line| (&line["scope"], &line["of"])).collect();
    numbers.sort_by_key(|(scope, _)| scope.as_str());
    assert_eq!(numbers[0], (&json!("c#acme"), &json!(50)));
    assert_eq!(numbers[1..].iter().map(|(_, of)| *of).collect::<Vec<_>>(), [7, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permits_are_given_and_taken_with_a_record_of_who_and_why() {
    let (stack, _) = stack().await;
    let adjust = |more: &[&str]| {
        let mut all = vec!["limit", "adjust", "monthly", "--consumer", "acme", "--by", "ops"];
        all.extend(more);
        stack.run(&all)
    };
    let said = adjust(&["--give", "20", "--reason", "an outage of ours"]).exits(0);
    assert!(said.stdout.starts_with("gave 20 permits of monthly for acme, until "), "{said:?}");
    let report = stack.run(&["usage", "--json", "--consumer", "acme"]).exits(0).json();
    assert_eq!(line(&report, "monthly")["granted"], 100);
    adjust(&["--take", "7", "--reason", "a test"]).exits(0);
    let report = stack.run(&["usage", "--json", "--consumer", "acme"]).exits(0).json();
    assert_eq!(line(&report, "monthly")["granted"], 107);
    let table = stack.scan("faregate-usage").await;
    assert!(table.contains("an outage of ours") && table.contains("\"ops\""), "{table}");

    // More was granted than there is, in blocks that brought nothing: what is given counts from the limit on.
    adjust(&["--take", "943", "--reason", "all of it, and more"]).exits(0);
    adjust(&["--give", "20", "--reason", "an outage of ours"]).exits(0);
    let report = stack.run(&["usage", "--json", "--consumer", "acme"]).exits(0).json();
    assert_eq!(line(&report, "monthly")["granted"], 980);

    let refused = adjust(&["--give", "1001", "--reason", "too much"]).exits(1);
    assert!(refused.stderr.contains("nothing was changed"), "{refused:?}");
    assert!(!stack.scan("faregate-usage").await.contains("too much"), "neither the counter nor a record");
    adjust(&["--give", "1"]).exits(2);
    adjust(&["--reason", "why"]).exits(2);
    for change in ["--give", "--take"] {
        let other = ["limit", "adjust", "daily", "--consumer", "acme", "--by", "x", "--reason", "y", change, "1"];
        stack.run(&other).exits(5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permits_are_taken_of_a_window_of_which_none_was_granted_yet() {
    let (stack, _) = stack().await;
    let adjust = |limit: &str, more: &[&str]| {
        let mut all = vec!["limit", "adjust", limit, "--by", "ops", "--reason", "a test"];
        all.extend(more);
        stack.run(&all)
    };
    // The slot has a quota's window that is long over, whose figure is its month's.
    let old = json!({"id": {"S": "plan|c#new"}, "monthly.M0i": {"N": "600"}, "monthly.M0u": {"N": "50"}, "monthly.M0s": {"N": "40"},
                     "monthly.M1i": {"N": "601"}, "monthly.M1u": {"N": "60"}, "monthly.M1s": {"N": "41"}});
    stack.put("faregate-usage", old).await;
    adjust("monthly", &["--consumer", "new", "--give", "1"]).exits(5);
    adjust("monthly", &["--consumer", "new", "--take", "9"]).exits(0);
    let report = stack.run(&["usage", "--json", "--consumer", "new"]).exits(0).json();
    assert_eq!((&line(&report, "monthly")["granted"], &line(&report, "monthly")["used"]), (&json!(9), &json!(0)));
    let months = ["2020-01", "2020-02"].map(|month| {
        let report = stack.run(&["usage", "--json", "--consumer", "new", "--period", month]).exits(0).json();
        report["limits"]
            .as_array()
            .expect("lines")
            .iter()
            .map(|line| line["used"].as_u64().expect("a number"))
            .sum::<u64>()
    });
    assert_eq!(months, [40, 41], "one of them in its slot, the other in its month");
    // It has begun: what comes after adds to it.
    adjust("monthly", &["--consumer", "new", "--take", "2"]).exits(0);
    let report = stack.run(&["usage", "--json", "--consumer", "new"]).exits(0).json();
    assert_eq!(line(&report, "monthly")["granted"], 11);
    // A limit by another scope, a bucket, and one that nobody knows have nothing to begin.
    let hash = "0123456789abcdef".repeat(4);
    for limit in ["hourly", "peak", "daily"] {
        adjust(limit, &["--key", &hash, "--take", "1"]).exits(5);
    }
    adjust("monthly", &["--take", "1"]).exits(2);
    adjust("monthly", &["--key", "0123", "--take", "1"]).exits(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_by_key_are_adjusted_by_its_hash() {
    let stack = Stack::start().await;
    let file = stack.file(
        "faregate.yaml",
        "
routes:
  - { id: r, authenticate: api_key, limits: [{ id: own, limit: 9, per: day, by: key }], respond: {} }
",
    );
    stack.run(&["apply", &file]).exits(0);
    let hash = "0123456789abcdef".repeat(4);
    let adjust = |more: &[&str]| {
        let mut all =
            vec!["limit", "adjust", "own", "--route", "r", "--by", "ops", "--reason", "a test", "--key", &hash];
        all.extend(more);
        stack.run(&all)
    };
    let said = adjust(&["--take", "5"]).exits(0);
    assert!(said.stdout.starts_with(&format!("took 5 permits of own for {hash}, until ")), "{said:?}");
    assert_eq!(adjust(&["--give", "2", "--json"]).exits(0).json()["key"], json!(hash));
    let report = stack.run(&["usage", "--json", "--key", &hash]).exits(0).json();
    assert_eq!(
        (&line(&report, "own")["granted"], &line(&report, "own")["scope"]),
        (&json!(3), &json!(format!("k#{}", &hash[..32])))
    );
    adjust(&["--give", "4"]).exits(1);
}
