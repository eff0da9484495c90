//! A store that takes connections and never answers.

use std::net::Ipv4Addr;

use faregate_aws::{DynamoConfigStore, DynamoKeyStore};
use faregate_core::api_key::KeyHash;
use faregate_engine::ports::{KeyStore, SnapshotStore, StoreError};
use tokio::{net::TcpListener, time::Instant};

use crate::support::{CONFIG_TABLE, KEYS_TABLE, aws};

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_unavailable_in_time() {
    // Connections wait in the listener's queue.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let aws = aws(&endpoint).await;
    let start = Instant::now();
    let current = DynamoConfigStore::new(&aws, CONFIG_TABLE).current(false).await;
    assert!(matches!(current, Err(StoreError::Unavailable(_))), "{current:?}");
    let key = DynamoKeyStore::new(&aws, KEYS_TABLE).get(&KeyHash::of(b"a")).await;
    assert!(matches!(key, Err(StoreError::Unavailable(_))), "{key:?}");
    assert!(start.elapsed().as_millis() <= 2 * 2500 + 100, "{:?}", start.elapsed());
}
