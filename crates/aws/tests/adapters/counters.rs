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
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::support::{USAGE_TABLE, aws, dynamodb};

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

#[tokio::test]
async fn a_take_adds_to_what_its_month_cost_and_drops_an_old_month() {
    let (_dynamodb, store) = table().await;
    let at = |now: Timestamp, nanodollars| Terms {
        cost: Some(Cost::at(now, 3, nanodollars)),
        expires_at: Timestamp::from_seconds(2_000_000_000),
        waiting: Waiting::Request,
    };
    let november = Timestamp::from_seconds(1_795_000_000);
    let take = |resets| {
        let slot = SlotName::of("monthly", Window::Month, 7);
        [Ask::Take(Take { slot, index: 7, limit: 10, block: 1, needed: 1, settled: 0, resets })]
    };
    for (resets, terms) in [(true, at(november, 40)), (false, at(november, 2))] {
        let taken = store.take("plan|c#acme", &take(resets), terms).await.expect("an answer");
        assert!(matches!(taken, Taken::Granted(_)), "{taken:?}");
    }
    let item = store.get("plan|c#acme").await.expect("an answer").expect("an item");
    assert_eq!((&item["cost.2026-11"], &item["requests.2026-11"]), (&42.into(), &6.into()));
    // Fourteen months later.
    let january = Timestamp::from_seconds(1_831_500_000);
    store.take("plan|c#acme", &take(false), at(january, 1)).await.expect("an answer");
    let item = store.get("plan|c#acme").await.expect("an answer").expect("an item");
    assert_eq!((item.get("cost.2026-11"), &item["cost.2028-01"]), (None, &1.into()));
    assert_eq!((item.get("requests.2026-11"), &item["requests.2028-01"]), (None, &3.into()));
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
