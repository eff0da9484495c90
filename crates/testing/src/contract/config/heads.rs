//! Versions.

use faregate_core::time::Timestamp;
use faregate_engine::{
    ports::{ConfigWriter, Expected, Flip},
    published::SnapshotHead,
};
use futures_util::future::join_all;

pub(super) fn head(version: u64) -> SnapshotHead {
    SnapshotHead {
        version,
        hash: format!("{version:064x}"),
        format: 1,
        chunks: 3,
        published_at: Timestamp::from_millis(1_795_478_400_123 + version),
    }
}

/// `flip` writes `current` and the head of the version.
pub async fn a_flip_keeps_the_head_and_makes_it_current(store: &dyn ConfigWriter) {
    assert_eq!(store.flip(&head(1), Expected::Absent).await, Ok(Flip::Done));
    assert_eq!(store.current(true).await, Ok(Some(head(1))));
    assert_eq!(store.heads().await, Ok(vec![head(1)]));
    assert_eq!(store.flip(&head(2), Expected::Version(1)).await, Ok(Flip::Done));
    assert_eq!(store.current(true).await, Ok(Some(head(2))));
    assert_eq!(store.heads().await, Ok(vec![head(2), head(1)]));
}

/// A flip from any other version than the current one is a conflict, and neither item is written.
pub async fn a_flip_with_another_expectation_writes_nothing(store: &dyn ConfigWriter) {
    assert_eq!(store.flip(&head(2), Expected::Version(1)).await, Ok(Flip::Conflict));
    assert_eq!(store.current(true).await, Ok(None));
    assert_eq!(store.heads().await, Ok(vec![]));
    assert_eq!(store.flip(&head(7), Expected::Absent).await, Ok(Flip::Done));
    for expected in [Expected::Absent, Expected::Version(6), Expected::Version(8)] {
        assert_eq!(store.flip(&head(9), expected).await, Ok(Flip::Conflict), "{expected:?}");
    }
    assert_eq!(store.current(true).await, Ok(Some(head(7))));
    assert_eq!(store.heads().await, Ok(vec![head(7)]));
}

/// What cannot be read is replaced, but not by a version that somebody has written already.
pub async fn a_flip_of_an_unreadable_head_writes_each_version_once(store: &dyn ConfigWriter) {
    assert_eq!(store.flip(&head(3), Expected::Absent).await, Ok(Flip::Done));
    assert_eq!(store.flip(&head(3), Expected::Unreadable).await, Ok(Flip::Conflict));
    assert_eq!(store.flip(&head(4), Expected::Unreadable).await, Ok(Flip::Done));
    assert_eq!(store.current(true).await, Ok(Some(head(4))));
}

/// Of flips at the same time from the same version exactly one is done, and current and kept head are its own.
pub async fn of_twenty_flips_at_once_one_wins(store: &dyn ConfigWriter) {
    assert_eq!(store.flip(&head(1), Expected::Absent).await, Ok(Flip::Done));
    let rivals: Vec<SnapshotHead> =
        (0..20).map(|rival| SnapshotHead { hash: format!("{rival:064x}"), ..head(2) }).collect();
    let outcomes = join_all(rivals.iter().map(|rival| store.flip(rival, Expected::Version(1)))).await;
    let won: Vec<&SnapshotHead> = rivals
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| **outcome == Ok(Flip::Done))
        .map(|(rival, _)| rival)
        .collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(store.current(true).await, Ok(Some(won[0].clone())));
    assert_eq!(store.heads().await, Ok(vec![won[0].clone(), head(1)]));
}

/// Heads come newest first, by number.
pub async fn heads_come_newest_first(store: &dyn ConfigWriter) {
    let mut expected = Expected::Absent;
    for version in [1, 2, 9, 10, 11, 99, 100] {
        assert_eq!(store.flip(&head(version), expected).await, Ok(Flip::Done));
        expected = Expected::Version(version);
    }
    let versions: Vec<u64> = store.heads().await.expect("heads").iter().map(|head| head.version).collect();
    assert_eq!(versions, [100, 99, 11, 10, 9, 2, 1]);
}

/// `delete_head` takes away one version's head and leaves `current`; an absent one is no error.
pub async fn a_head_is_deleted_alone(store: &dyn ConfigWriter) {
    assert_eq!(store.flip(&head(1), Expected::Absent).await, Ok(Flip::Done));
    assert_eq!(store.flip(&head(2), Expected::Version(1)).await, Ok(Flip::Done));
    assert_eq!(store.delete_head(1).await, Ok(()));
    assert_eq!(store.delete_head(1).await, Ok(()));
    assert_eq!(store.heads().await, Ok(vec![head(2)]));
    assert_eq!(store.delete_head(2).await, Ok(()));
    assert_eq!(store.heads().await, Ok(vec![]));
    assert_eq!(store.current(true).await, Ok(Some(head(2))));
    assert_eq!(store.current(false).await, Ok(Some(head(2))));
}
