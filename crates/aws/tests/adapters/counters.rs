//! Counters of limits in the Usage table.

use std::{sync::Arc, time::Duration};

use faregate_aws::DynamoCounters;
use faregate_engine::{
    fakes::{FakeClock, FakeCounters},
    ports::Counters,
};
use faregate_testing::{
    contract::{Subject, counters},
    dynamodb::EmbeddedDynamoDb,
};

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
