//! Publishing over the fake store: one mistake refuses everything, nothing is lost, nothing is half.

use std::{sync::Arc, time::Duration};

use faregate_core::{
    check::CheckOptions,
    document::{Entry, Kind},
    time::Timestamp,
};
use faregate_engine::{
    fakes::{FakeClock, FakeConfigStore},
    ports::{ApplyLock, Clock, ConfigStore, ConfigWriter, SnapshotStore, StoreError, StoredEntry},
    publish::{
        ApplyError, ApplyOptions, Change, LOCK_DURATION, Outcome, PublishError, PublishOptions, VERSIONS_KEPT, apply,
        kept_entries, plan, publish, publish_when_free,
    },
    published::{DIAGNOSTICS_KEPT, SnapshotHead, unpack},
};
use serde_json::{Map, Value, json};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const OPTIONS: CheckOptions = CheckOptions { allow_inline_secrets: false };

fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

fn route(id: &str, body: &str) -> Entry {
    let value = json!({"match": [{"path": format!("/{id}")}], "authenticate": "anonymous", "respond": {"body": body}});
    Entry { kind: Kind::Route, id: id.to_owned(), fields: fields(&value) }
}

fn stored(kind: &str, id: &str, value: &Value) -> StoredEntry {
    StoredEntry { kind: kind.to_owned(), id: id.to_owned(), fields: Ok(fields(value)) }
}

fn put(store: &FakeConfigStore, entry: &Entry) {
    store.insert(stored(entry.kind.as_str(), &entry.id, &Value::Object(entry.fields.clone())));
}

struct World {
    store: Arc<FakeConfigStore>,
    clock: FakeClock,
}

impl World {
    fn new() -> Self {
        Self { store: Arc::new(FakeConfigStore::default()), clock: FakeClock::new(NOW) }
    }

    async fn publish(&self) -> Outcome {
        publish(&*self.store, &self.clock, PublishOptions::default()).await.expect("an outcome")
    }

    async fn published(&self) -> SnapshotHead {
        match self.publish().await {
            Outcome::Published { head, .. } => head,
            other => panic!("{other:?}"),
        }
    }

    async fn apply(&self, wanted: &[Entry], prune: bool) -> Result<faregate_engine::publish::Applied, ApplyError> {
        let options = ApplyOptions { prune, confirmed: None, holder: "me", check: OPTIONS };
        apply(&*self.store, &self.clock, wanted, options).await
    }

    async fn content(&self) -> Value {
        let head = self.store.current(true).await.expect("a store").expect("a head");
        let chunks = self.store.chunks(&head.hash).await.expect("chunks");
        serde_json::from_slice(&unpack(&head, &chunks).expect("content")).expect("JSON")
    }
}

#[tokio::test]
async fn the_same_content_is_written_once() {
    let world = World::new();
    put(&world.store, &route("a", "1"));
    let head = world.published().await;
    assert_eq!((head.version, world.content().await["routes"][0]["id"].as_str()), (1, Some("a")));
    let before = world.store.writes();
    assert!(matches!(world.publish().await, Outcome::Unchanged { healed: false, .. }));
    assert_eq!(world.store.writes(), before);
    put(&world.store, &route("a", "2"));
    assert_eq!(world.published().await.version, 2);
}

#[tokio::test]
async fn one_bad_item_refuses_everything_and_its_mistakes_are_named() {
    let world = World::new();
    put(&world.store, &route("a", "1"));
    world.published().await;
    put(&world.store, &route("b", "2"));
    world.store.insert(stored("route", "bad", &json!({"authenticate": "anonymous", "respond": {}, "retry": []})));
    world.store.insert(stored("rout", "typo", &json!({})));
    world.store.insert(StoredEntry { kind: "backend".into(), id: "raw".into(), fields: Err("binary".into()) });
    let Outcome::Refused { diagnostics } = world.publish().await else { panic!("refused") };
    let codes: Vec<_> = diagnostics.iter().map(|found| found.code.as_str()).collect();
    assert_eq!(codes, ["malformed", "unknown_kind", "unknown_field"]);
    let status = world.store.status().await.expect("a store").expect("a status");
    assert!(status.refused && status.version == Some(1) && status.count == 3);
    assert_eq!(world.content().await["routes"].as_array().map(Vec::len), Some(1));

    for (kind, id) in [("route", "bad"), ("rout", "typo"), ("backend", "raw")] {
        world.store.delete_entry(kind, id).await.expect("deleted");
    }
    assert_eq!(world.published().await.version, 2);
    let status = world.store.status().await.expect("a store").expect("a status");
    assert!(!status.refused && status.count == 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_written_over_a_newer_version() {
    let world = World::new();
    put(&world.store, &route("a", "1"));
    world.published().await;
    world.store.insert(stored("route", "bad", &json!({})));
    world.store.faults.forget_operations();
    let call = Duration::from_secs(1);
    world.store.faults.set_slow(Some(call));
    let faster = async {
        // The slower publisher has read the entries when it asks for the lock.
        while world.store.faults.count("lock") == 0 {
            tokio::time::advance(call).await;
        }
        world.store.faults.set_slow(None);
        world.store.delete_entry("route", "bad").await.expect("deleted");
        put(&world.store, &route("a", "2"));
        world.published().await
    };
    let (slower, newer) = tokio::join!(world.publish(), faster);
    assert_eq!(world.store.faults.count("entries"), 3, "the slower one reads again");
    assert!(matches!(slower, Outcome::Unchanged { ref head, .. } if *head == newer), "{slower:?}");
    let status = world.store.status().await.expect("a store").expect("a status");
    assert_eq!((status.refused, status.version, newer.version), (false, Some(2), 2));
}

#[tokio::test]
async fn a_status_holds_the_first_hundred_mistakes_and_counts_all() {
    let world = World::new();
    for number in 0..150 {
        world.store.insert(stored("route", &format!("r{number}"), &json!({})));
    }
    world.publish().await;
    let status = world.store.status().await.expect("a store").expect("a status");
    assert_eq!(status.diagnostics.len(), DIAGNOSTICS_KEPT);
    assert!(status.count >= 150);
}

#[tokio::test]
async fn long_mistakes_are_stored_short() {
    for letter in ["x", "\u{e9}", "\u{1F600}"] {
        let world = World::new();
        let long = letter.repeat(5000);
        let fields = json!({"authenticate": "anonymous", "respond": {}, "hosts": [long], long.clone(): 1});
        world.store.insert(stored("route", &long, &fields));
        assert!(matches!(world.publish().await, Outcome::Refused { .. }));
        let status = world.store.status().await.expect("a store").expect("a status");
        let bytes = |text: &String| text.len();
        for found in &status.diagnostics {
            // A hundred of them fit into an item of 400 KB.
            let longest = [&found.id, &found.message, &found.pointer].into_iter().chain(&found.hint).map(bytes).max();
            assert!(longest.is_some_and(|longest| longest <= 500), "{longest:?} bytes");
        }
        assert!(status.diagnostics.iter().any(|found| found.id.len() > 490));
    }
}

#[tokio::test]
async fn chunks_that_vanish_while_their_version_is_published_are_written_again() {
    let world = World::new();
    put(&world.store, &route("a", "1"));
    world.store.before_flip(|store| {
        for hash in store.chunk_hashes() {
            store.remove_chunk(&hash, 0);
        }
    });
    let head = world.published().await;
    assert!(unpack(&head, &world.store.chunks(&head.hash).await.expect("chunks")).is_ok());
}

#[tokio::test]
async fn a_current_head_that_cannot_be_read_is_replaced_by_a_newer_version() {
    let world = World::new();
    put(&world.store, &route("a", "1"));
    world.published().await;
    world.store.damage_current();
    assert_eq!(world.published().await.version, 2);
    assert_eq!(world.content().await["routes"][0]["id"], "a");
}

#[tokio::test]
async fn of_two_publishers_at_once_the_later_one_reads_again() {
    let world = World::new();
    put(&world.store, &route("a", "1"));
    let mut others = 2;
    world.store.before_flip(move |store| {
        if others > 0 {
            others -= 1;
            store.publish_elsewhere();
        }
    });
    assert_eq!(world.published().await.version, 3);
    assert_eq!(world.content().await["routes"][0]["id"], "a");

    world.store.before_flip(|store| {
        store.publish_elsewhere();
    });
    put(&world.store, &route("a", "2"));
    let contended = publish(&*world.store, &world.clock, PublishOptions::default()).await;
    assert_eq!(contended, Err(PublishError::Contended));
}

#[tokio::test]
async fn ten_versions_are_kept_and_no_chunk_that_one_of_them_names_is_deleted() {
    let world = World::new();
    for number in 1..=12 {
        // Every third content comes again, under the same hash.
        put(&world.store, &route("a", &format!("{}", number % 3)));
        assert_eq!(world.published().await.version, number);
    }
    for number in 13..=25 {
        put(&world.store, &route("a", &format!("unique {number}")));
        world.published().await;
    }
    let heads = world.store.heads().await.expect("heads");
    let versions: Vec<_> = heads.iter().map(|head| head.version).collect();
    assert_eq!(versions, (16..=25).rev().collect::<Vec<_>>());
    assert_eq!(heads.len() as u64, VERSIONS_KEPT);
    assert_eq!(world.store.chunk_hashes().len(), 10);
    for head in heads {
        assert!(unpack(&head, &world.store.chunks(&head.hash).await.expect("chunks")).is_ok());
    }
}

#[tokio::test]
async fn chunks_that_no_version_came_to_name_are_deleted() {
    let world = World::new();
    put(&world.store, &route("a", "1"));
    let mut first = true;
    world.store.before_flip(move |store| {
        if std::mem::take(&mut first) {
            store.publish_elsewhere();
            put(store, &route("a", "2"));
        }
    });
    let head = world.published().await;
    assert_eq!((head.version, world.store.chunk_hashes()), (2, vec![head.hash]));

    // Where every try is in vain, too.
    world.store.before_flip(|store| {
        store.publish_elsewhere();
    });
    put(&world.store, &route("a", "3"));
    let contended = publish(&*world.store, &world.clock, PublishOptions::default()).await;
    assert_eq!(contended, Err(PublishError::Contended));
    assert_eq!(world.store.chunk_hashes().len(), 1);
}

#[tokio::test]
async fn what_is_published_is_so_though_chunks_of_a_try_in_vain_stay() {
    let attempt = async |passing: Option<usize>| {
        let world = World::new();
        put(&world.store, &route("a", "1"));
        let mut first = true;
        world.store.before_flip(move |store| {
            if std::mem::take(&mut first) {
                store.publish_elsewhere();
                put(store, &route("a", "2"));
            }
        });
        if let Some(passing) = passing {
            (0..passing).for_each(|_| world.store.faults.pass_next());
            world.store.faults.fail_next(StoreError::Throttled("busy".to_owned()));
        }
        let outcome = publish(&*world.store, &world.clock, PublishOptions::default()).await;
        (world.store.faults.operations(), outcome)
    };
    let (operations, _) = attempt(None).await;
    assert_eq!(operations.last(), Some(&"delete_chunks"));
    let (_, outcome) = attempt(Some(operations.len() - 1)).await;
    assert!(matches!(outcome, Ok(Outcome::Published { .. })), "{outcome:?}");
}

#[tokio::test]
async fn chunks_are_mended_without_taking_any_away_before() {
    let world = World::new();
    put(&world.store, &route("a", "1"));
    let head = world.published().await;
    world.store.corrupt_chunk(&head.hash, 0);
    world.store.faults.forget_operations();
    assert!(matches!(world.publish().await, Outcome::Unchanged { healed: true, .. }));
    assert_eq!(world.store.faults.count("delete_chunks"), 0);
    // One too many has to go.
    world.store.put_chunk(&head.hash, 1, "surplus".into()).await.expect("written");
    assert!(matches!(world.publish().await, Outcome::Unchanged { healed: true, .. }));
    assert!(unpack(&head, &world.store.chunks(&head.hash).await.expect("chunks")).is_ok());
}

#[tokio::test]
async fn applying_is_one_change_under_a_lock_that_publishers_respect() {
    let world = World::new();
    let lock = ApplyLock { holder: "other".into(), expires_at: NOW.plus(LOCK_DURATION) };
    assert!(world.store.take_lock(&lock, NOW).await.expect("a store"));
    put(&world.store, &route("half", "1"));
    assert_eq!(world.publish().await, Outcome::Locked(lock));
    assert_eq!(world.apply(&[route("a", "1")], false).await, Err(ApplyError::Locked));
    assert_eq!(world.store.current(true).await, Ok(None));

    // An apply that died: its lock runs out, and the next one completes the change.
    world.clock.advance(LOCK_DURATION);
    let applied = world.apply(&[route("a", "1")], false).await.expect("applied");
    assert_eq!(applied.plan.kept, [("route".to_owned(), "half".to_owned())]);
    assert!(matches!(applied.outcome, Outcome::Published { .. }));
    assert_eq!(world.store.lock().await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn what_is_put_while_an_apply_holds_the_lock_is_published_when_that_ends() {
    // It runs out, it is given back, or it is held for longer than anybody waits.
    for (held, released, patience, waited) in
        [(10, None, 40, Some(10)), (60, Some(5), 40, Some(5)), (60, None, 40, None)]
    {
        let world = World::new();
        let lock = ApplyLock { holder: "other".into(), expires_at: NOW.plus(Duration::from_secs(held)) };
        assert!(world.store.take_lock(&lock, NOW).await.expect("a store"));
        put(&world.store, &route("meanwhile", "1"));
        let until = NOW.plus(Duration::from_secs(patience));
        let publishing = publish_when_free(&*world.store, &world.clock, PublishOptions::default(), until);
        let passing = async {
            for second in 1.. {
                tokio::time::advance(Duration::from_secs(1)).await;
                world.clock.advance(Duration::from_secs(1));
                if released == Some(second) {
                    world.store.release_lock("other").await.expect("released");
                }
            }
        };
        let outcome =
            tokio::select! { outcome = publishing => outcome.expect("an outcome"), () = passing => unreachable!() };
        let passed = world.clock.now().since(NOW).as_secs();
        match waited {
            Some(waited) => {
                assert!(matches!(outcome, Outcome::Published { .. }), "{outcome:?}");
                assert!((waited..=waited + 1).contains(&passed), "{passed} s");
            }
            None => {
                assert_eq!(outcome, Outcome::Locked(lock));
                assert!(passed <= patience + 1, "{passed} s");
            }
        }
    }
}

#[tokio::test]
async fn a_configuration_with_mistakes_is_not_written_at_all() {
    let world = World::new();
    world.apply(&[route("a", "1")], false).await.expect("applied");
    let bad = Entry { kind: Kind::Route, id: "bad".into(), fields: Map::new() };
    let refused = world.apply(&[route("a", "2"), bad], true).await;
    let Err(ApplyError::Refused(diagnostics)) = refused else { panic!("{refused:?}") };
    assert!(diagnostics.iter().all(|found| found.id == "bad"));
    assert_eq!(world.store.entries().await.expect("entries").len(), 1);
    assert_eq!(world.store.lock().await, Ok(None));
}

#[tokio::test]
async fn no_other_plan_is_carried_out_than_the_one_that_was_confirmed() {
    let world = World::new();
    world.apply(&[route("a", "1"), route("gone", "1")], false).await.expect("applied");
    let wanted = [route("a", "2")];
    let confirmed = plan(&world.store.entries().await.expect("entries"), &wanted, true);
    put(&world.store, &route("meanwhile", "1"));
    let before = world.store.entries().await.expect("entries");
    let options = ApplyOptions { prune: true, confirmed: Some(&confirmed), holder: "me", check: OPTIONS };
    assert_eq!(apply(&*world.store, &world.clock, &wanted, options).await, Err(ApplyError::Changed));
    assert_eq!(world.store.entries().await.expect("entries"), before);
    assert_eq!(world.store.lock().await, Ok(None));
    assert_eq!(world.content().await["routes"].as_array().map(Vec::len), Some(2));

    world.store.delete_entry("route", "meanwhile").await.expect("deleted");
    let applied = apply(&*world.store, &world.clock, &wanted, options).await.expect("applied");
    assert_eq!(applied.plan, confirmed);
}

#[tokio::test]
async fn an_apply_that_breaks_off_publishes_no_half() {
    let world = World::new();
    world.apply(&[route("a", "1")], false).await.expect("applied");
    world.store.before_flip(|store| store.faults.fail_next(StoreError::Unavailable("gone".into())));
    let broken = world.apply(&[route("a", "2"), route("b", "2")], false).await;
    assert!(matches!(broken, Err(ApplyError::Publish(_))), "{broken:?}");
    world.store.nothing_before_flip();
    assert!(matches!(world.publish().await, Outcome::Locked(_)));
    world.clock.advance(LOCK_DURATION + Duration::from_secs(1));
    // The schedule goes on once the lock has run out.
    assert!(matches!(world.publish().await, Outcome::Published { .. }));
}

#[tokio::test]
async fn a_plan_orders_by_dependence_and_deletes_only_when_pruning() {
    let backend = Entry {
        kind: Kind::Backend,
        id: "b".into(),
        fields: fields(&json!({"targets": [{"url": "http://b.internal"}]})),
    };
    let existing = [
        stored("route", "same", &Value::Object(route("same", "1").fields)),
        stored("route", "other", &Value::Object(route("other", "1").fields)),
        stored("route", "gone", &json!({})),
        stored("backend", "gone", &json!({})),
    ];
    let wanted = [route("same", "1"), route("other", "2"), route("new", "1"), backend];
    let pruned = plan(&existing, &wanted, true);
    let words: Vec<_> = pruned
        .changes
        .iter()
        .map(|change| match change {
            Change::Create(entry) => format!("+{}", entry.id),
            Change::Update { after, .. } => format!("~{}", after.id),
            Change::Delete { kind, id } => format!("-{kind}/{id}"),
        })
        .collect();
    assert_eq!(words, ["+b", "+new", "~other", "-route/gone", "-backend/gone"]);
    let kept = plan(&existing, &wanted, false);
    assert_eq!((kept.changes.len(), kept.kept.len()), (3, 2));
}

#[tokio::test]
async fn a_rollback_writes_the_entries_back_as_a_new_version() {
    let world = World::new();
    world.apply(&[route("a", "1"), route("b", "1")], true).await.expect("applied");
    world.apply(&[route("a", "2")], true).await.expect("applied");
    let first = kept_entries(&*world.store, 1).await.expect("entries");
    let applied = world.apply(&first, true).await.expect("rolled back");
    let Outcome::Published { head, .. } = applied.outcome else { panic!("published") };
    assert_eq!(head.version, 3);
    let entries = world.store.entries().await.expect("entries");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].fields, Ok(route("a", "1").fields));
    assert_eq!(kept_entries(&*world.store, 99).await, Err(ApplyError::UnknownVersion(99)));
}
