//! Keys with numbers of their own for limits that their consumer shares.

use std::time::Duration;

use serde_json::json;

use super::{
    limits::{call, daily, document},
    support::Harness,
};

#[tokio::test]
async fn keys_of_one_consumer_have_numbers_of_their_own() {
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), daily(1000))).await;
    let item = |limit: u64| json!({"consumer": "acme", "plan": "gold", "limits": [{"id": "daily", "limit": limit}]});
    harness.key("big", item(1000));
    harness.key("small", item(10));
    for _ in 0..50 {
        assert_eq!(call(&harness, "big").await.status, 200);
        harness.clock.advance(Duration::from_millis(100));
    }
    // Fifty are spent: whatever is held, the small number is long used up; and that keeps nobody else out.
    for _ in 0..20 {
        assert_eq!(call(&harness, "small").await.status, 429);
        assert_eq!(call(&harness, "big").await.status, 200);
    }
}

#[tokio::test]
async fn a_keys_own_number_holds_for_what_it_takes_from_a_bucket_of_its_consumer() {
    let plans = json!([{"id": "gold", "limits": [{"id": "steady", "limit": 100, "per": "second"}]}]);
    let harness = Harness::new(document(json!({"authenticate": "api_key"}), plans)).await;
    harness.key("big", json!({"consumer": "acme", "plan": "gold"}));
    harness.key("small", json!({"consumer": "acme", "plan": "gold", "limits": [{"id": "steady", "limit": 5}]}));
    let mut admitted = 0;
    for _ in 0..60 {
        // A hundred a second of which half are asked for: this environment holds a block all the time.
        assert_eq!(call(&harness, "big").await.status, 200);
        harness.clock.advance(Duration::from_millis(20));
    }
    for _ in 0..20 {
        admitted += u64::from(call(&harness, "small").await.status == 200);
    }
    assert!((1..=5).contains(&admitted), "{admitted}");
}
