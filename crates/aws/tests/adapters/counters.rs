//! Counters of limits in the Usage table.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use faregate_aws::DynamoCounters;
use faregate_core::{
    cost::Cost,
    limit::{Ask, Return, RollUp, SlotName, Take, Window},
    time::Timestamp,
};
use faregate_engine::{
    fakes::{FakeClock, FakeCounters},
    ports::{Counters, StoreError, Taken, Terms, UsageAdmin, Waiting},
};
use faregate_testing::{
    contract::{Subject, counters},
    dynamodb::EmbeddedDynamoDb,
};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{USAGE_TABLE, aws, dynamodb, scan};

/// Fifty writers at once may wait for each other.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

async fn fake() -> Subject<dyn Counters> {
    Subject::new(Box::new(FakeCounters::default()), ())
}

async fn real() -> Subject<dyn Counters> {
    let (dynamodb, store) = table().await;
    Subject::new(Box::new(store), dynamodb)
}

mod fake_contract {
    faregate_testing::counters_contract!(super::fake);
}

mod dynamodb_contract {
    faregate_testing::counters_contract!(super::real);
}

async fn table() -> (EmbeddedDynamoDb, DynamoCounters) {
    let dynamodb = dynamodb().await;
    let store = DynamoCounters::new(&aws(&dynamodb.endpoint()).await, USAGE_TABLE, Arc::new(FakeClock::default()))
        .patient(PATIENCE);
    (dynamodb, store)
}

#[tokio::test]
async fn both_are_unavailable_while_they_are_down() {
    let fake = FakeCounters::default();
    fake.faults.set_down(true);
    counters::a_store_that_is_down_is_unavailable(&fake).await;

    let (mut dynamodb, store) = table().await;
    dynamodb.stop().await;
    counters::a_store_that_is_down_is_unavailable(&store).await;
}

fn in_month(now: Timestamp, nanodollars: u64) -> Terms {
    Terms {
        cost: Some(Cost::at(now, 3, nanodollars)),
        expires_at: Timestamp::from_seconds(2_000_000_000),
        waiting: Waiting::Request,
    }
}

#[tokio::test]
async fn a_take_adds_to_what_its_month_cost_and_one_that_begins_a_slot_drops_old_months() {
    let (_dynamodb, store) = table().await;
    let take = |index, resets| {
        let slot = SlotName::of("monthly", Window::Month, index);
        [Ask::Take(Take { slot, index, limit: 10, block: 1, needed: 1, settled: 0, resets })]
    };
    let [november, december, january] = [1_795_000_000, 1_798_000_000, 1_799_000_000].map(Timestamp::from_seconds);
    for (index, resets, terms) in [
        (7, true, in_month(november, 40)),
        (7, false, in_month(november, 2)),
        (8, true, in_month(december, 5)),
        (8, false, in_month(january, 1)),
    ] {
        let taken = store.take("plan|c#acme", &take(index, resets), terms).await.expect("an answer");
        assert!(matches!(taken, Taken::Granted(_)), "{taken:?}");
    }
    let item = store.get("plan|c#acme").await.expect("an answer").expect("an item");
    assert_eq!((&item["cost.2026-11"], &item["requests.2026-11"]), (&42.into(), &6.into()));
    store.take("plan|c#acme", &take(9, true), in_month(january, 1)).await.expect("an answer");
    let item = store.get("plan|c#acme").await.expect("an answer").expect("an item");
    assert_eq!((item.get("cost.2026-11"), item.get("requests.2026-11")), (None, None));
    assert_eq!(
        (&item["cost.2026-12"], &item["cost.2027-01"], &item["requests.2027-01"]),
        (&5.into(), &2.into(), &6.into())
    );
}

/// The bytes of an item in DynamoDB's own JSON, as they are billed.
fn billed_bytes(item: &Value) -> usize {
    let bytes = |(name, value): (&String, &Value)| {
        let (text, digits) = (value["S"].as_str(), value["N"].as_str());
        name.len() + text.map_or(0, str::len) + digits.map_or(0, |digits| digits.len().div_ceil(2) + 1)
    };
    item.as_object().expect("an item").iter().map(bytes).sum()
}

#[tokio::test]
async fn fifteen_limits_of_short_names_are_less_than_a_kilobyte_however_many_months_there_were() {
    for (limits, letters) in [(15, 2), (9, 8)] {
        let (dynamodb, store) = table().await;
        for month in 0..8_u64 {
            let takes = (0..limits).map(|number| {
                let slot = SlotName::of(&format!("{number:0>letters$}"), Window::Day, 20_000 + month);
                let (block, settled) = (123_456, 123_450);
                Ask::Take(Take { slot, index: 20_000 + month, limit: 999_999, block, needed: 1, settled, resets: true })
            });
            let terms = in_month(Timestamp::from_seconds(1_795_000_000 + month * 31 * 86_400), 999_999_999);
            let taken = store.take("plan|c#acme", &takes.collect::<Vec<_>>(), terms).await.expect("an answer");
            assert!(matches!(taken, Taken::Granted(_)), "{taken:?}");
        }
        let item = scan(&dynamodb, USAGE_TABLE).await.remove(0);
        assert!(billed_bytes(&item) <= 1024, "{limits} limits: {} bytes", billed_bytes(&item));
    }
}

#[tokio::test]
async fn writes_that_take_several_units_are_counted_so_also_where_a_condition_does_not_hold() {
    let granted =
        json!({"Attributes": {"daily.d1u": {"N": "1"}}, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 3.0}});
    let refused = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "Item": {"id": {"S": "plan|c#acme"}, "note": {"S": "x".repeat(1100)}},
    });
    let small =
        json!({"Attributes": {"daily.d1u": {"N": "1"}}, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}});
    for (status, body, more) in [(200_u16, granted, 2), (400, refused, 1), (200, small, 0)] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let body = Bytes::from(body.to_string());
        let answer = move |_: Request<Incoming>| {
            let body = body.clone();
            async move { Response::builder().status(status).body(Full::new(body)) }
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer.clone())));
            }
        });
        let store = DynamoCounters::new(&aws(&endpoint).await, USAGE_TABLE, Arc::new(FakeClock::default()));
        let slot = SlotName::of("daily", Window::Day, 7);
        let ask = [Ask::Take(Take { slot, index: 7, limit: 10, block: 1, needed: 1, settled: 0, resets: true })];
        store.take("plan|c#acme", &ask, in_month(Timestamp::from_seconds(1), 1)).await.expect("an answer");
        assert_eq!((store.more_units(), store.more_units()), (more, 0));
    }
}

#[tokio::test]
async fn a_roll_up_adds_to_its_month() {
    let (_dynamodb, store) = table().await;
    let rolled = |sums: &[(&str, u64)]| RollUp {
        item: "u#acme#2026-11".to_owned(),
        sums: sums.iter().map(|(attribute, more)| ((*attribute).to_owned(), *more)).collect(),
    };
    for (sums, expires_at) in [
        (&[("plan|daily.d", 40)][..], 1),
        (&[("plan|daily.d", 2)], 3),
        (&[("requests", 5), ("cost", 900)], 4),
        (&[("route:r|x.d", 7), ("requests", 6), ("cost", 0)], 2),
    ] {
        store.roll_up(&rolled(sums), Timestamp::from_seconds(expires_at)).await.expect("an answer");
    }
    let item = store.get("u#acme#2026-11").await.expect("an answer").expect("an item");
    assert_eq!((&item["plan|daily.d"], &item["route:r|x.d"]), (&42.into(), &7.into()));
    assert_eq!((&item["requests"], &item["cost"]), (&11.into(), &900.into()));
    assert_eq!(item["expires_at"], 2, "kept as long as the last one says");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_waited_for_once_and_not_long() {
    // Connections wait in the listener's queue.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let store = DynamoCounters::new(&aws(&endpoint).await, USAGE_TABLE, Arc::new(FakeClock::default()));
    let take = |waiting| {
        let slot = SlotName::of("daily", Window::Day, 7);
        let ask = [Ask::Take(Take { slot, index: 7, limit: 10, block: 1, needed: 1, settled: 0, resets: true })];
        let terms = Terms { cost: None, expires_at: Timestamp::from_seconds(2_000_000_000), waiting };
        let store = &store;
        async move { store.take("plan|c#acme", &ask, terms).await }
    };
    for waiting in [Waiting::Request, Waiting::Nobody] {
        let started = tokio::time::Instant::now();
        assert!(matches!(take(waiting).await, Err(StoreError::Unavailable(_))));
        // Nobody was heard yet: a connection may have to be opened.
        assert!((500..600).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn over_a_connection_that_is_open_a_request_waits_a_tenth_of_a_second() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let calls = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let calls = Arc::clone(&calls);
            let answer_once = move |_: Request<Incoming>| {
                let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
                async move {
                    if !is_first {
                        std::future::pending::<()>().await;
                    }
                    Response::builder().body(Full::new(Bytes::from_static(b"{}")))
                }
            };
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer_once)));
        }
    });
    let clock = Arc::new(FakeClock::default());
    let store = DynamoCounters::new(&aws(&endpoint).await, USAGE_TABLE, Arc::<FakeClock>::clone(&clock));
    let slot = SlotName::of("daily", Window::Day, 7);
    let ask = [Ask::Take(Take { slot, index: 7, limit: 10, block: 1, needed: 1, settled: 0, resets: true })];
    store.read("plan|c#acme", &[]).await.expect("an answer");
    tokio::time::pause();
    let hour = Duration::from_secs(3600);
    for (waiting, passes, millis) in
        [(Waiting::Request, Duration::ZERO, 100), (Waiting::Nobody, Duration::ZERO, 500), (Waiting::Request, hour, 500)]
    {
        clock.advance(passes);
        let terms = Terms { cost: None, expires_at: Timestamp::from_seconds(2_000_000_000), waiting };
        let started = tokio::time::Instant::now();
        assert!(matches!(store.take("plan|c#acme", &ask, terms).await, Err(StoreError::Unavailable(_))));
        assert!(
            (millis..millis + 100).contains(&started.elapsed().as_millis()),
            "{waiting:?}: {:?}",
            started.elapsed()
        );
    }
}

#[tokio::test]
async fn a_write_that_failed_is_not_sent_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            let fail = move |_: Request<Incoming>| {
                counted.fetch_add(1, Ordering::Relaxed);
                async move { Response::builder().status(500).body(Full::new(Bytes::from_static(b"{}"))) }
            };
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(fail)));
        }
    });
    let store =
        DynamoCounters::new(&aws(&endpoint).await, USAGE_TABLE, Arc::new(FakeClock::default())).patient(PATIENCE);
    let slot = SlotName::of("daily", Window::Day, 7);
    let back = Return { slot: slot.clone(), index: 7, permits: 1, settled: 0 };
    let ask = [Ask::Take(Take { slot, index: 7, limit: 10, block: 1, needed: 1, settled: 0, resets: true })];
    let terms = Terms { cost: None, expires_at: Timestamp::from_seconds(1), waiting: Waiting::Request };
    let rolled = RollUp { item: "u#acme#2026-11".to_owned(), sums: vec![("plan|daily.d".to_owned(), 1)] };
    assert!(matches!(store.take("plan|c#acme", &ask, terms).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.give_back("plan|c#acme", &back).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.roll_up(&rolled, Timestamp::from_seconds(1)).await, Err(StoreError::Unavailable(_))));
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

/// A connection that was used before and is closed once the request was read: whether that was done, nobody knows.
#[tokio::test]
async fn a_write_that_was_read_and_not_answered_is_not_sent_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            let answer_first = move |request: Request<Incoming>| {
                let counted = Arc::clone(&counted);
                async move {
                    let _ = request.into_body().collect().await;
                    match counted.fetch_add(1, Ordering::Relaxed) {
                        0 => Ok(Response::new(Full::new(Bytes::from_static(b"{}")))),
                        _ => Err(std::io::Error::other("closed")),
                    }
                }
            };
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer_first)));
        }
    });
    let store =
        DynamoCounters::new(&aws(&endpoint).await, USAGE_TABLE, Arc::new(FakeClock::default())).patient(PATIENCE);
    store.read("plan|c#acme", &[]).await.expect("an answer");
    let slot = SlotName::of("daily", Window::Day, 7);
    let back = Return { slot: slot.clone(), index: 7, permits: 1, settled: 0 };
    let ask = [Ask::Take(Take { slot, index: 7, limit: 10, block: 1, needed: 1, settled: 0, resets: true })];
    let terms = in_month(Timestamp::from_seconds(1), 1);
    assert!(matches!(store.take("plan|c#acme", &ask, terms).await, Err(StoreError::Unavailable(_))));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert!(matches!(store.give_back("plan|c#acme", &back).await, Err(StoreError::Unavailable(_))));
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

/// Answers every request with an empty object, written at this date.
async fn answering_at(date: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = move |_: Request<Incoming>| async move {
        Response::builder().header("date", date).body(Full::new(Bytes::from_static(b"{}")))
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn the_date_of_an_answer_shows_a_clock_that_is_wrong() {
    // The clock stands at midnight.
    for (date, skew) in [
        ("Tue, 24 Nov 2026 00:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 23:59:59 GMT", 1),
        ("Mon, 23 Nov 2026 23:59:55 GMT", 4001),
        ("Tue, 24 Nov 2026 00:00:03 GMT", -3000),
    ] {
        let store =
            DynamoCounters::new(&aws(&answering_at(date).await).await, USAGE_TABLE, Arc::new(FakeClock::default()));
        assert_eq!(store.skew_millis(), 0, "before it was asked");
        store.read("plan|c#acme", &[]).await.expect("an answer");
        assert_eq!(store.skew_millis(), skew, "{date}");
    }
}
