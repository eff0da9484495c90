//! The publisher's status.

use faregate_core::{
    diagnostic::{Diagnostic, Severity},
    time::Timestamp,
};
use faregate_engine::{ports::ConfigWriter, published::Status};

/// A new table holds no snapshot, no entry, no lock and no status.
pub async fn an_empty_table_holds_nothing(store: &dyn ConfigWriter) {
    assert_eq!(store.current(false).await, Ok(None));
    assert_eq!(store.current(true).await, Ok(None));
    assert_eq!(store.heads().await, Ok(vec![]));
    assert_eq!(store.chunks("aa").await, Ok(vec![]));
    assert_eq!(store.entries().await, Ok(vec![]));
    assert_eq!(store.lock().await, Ok(None));
    assert_eq!(store.status().await, Ok(None));
}

/// The status comes back with every field of every diagnostic; the next one replaces it.
pub async fn the_status_comes_back_as_it_was_written(store: &dyn ConfigWriter) {
    let bare = Diagnostic {
        severity: Severity::Warning,
        code: "risky".to_owned(),
        kind: "route".to_owned(),
        id: "a".to_owned(),
        pointer: String::new(),
        message: "be careful".to_owned(),
        hint: None,
        line: None,
        column: None,
    };
    let full = Diagnostic {
        severity: Severity::Error,
        pointer: "/match/0/path".to_owned(),
        hint: Some("write something else".to_owned()),
        line: Some(7),
        column: Some(1),
        ..bare.clone()
    };
    let time = Timestamp::from_millis(1_795_478_400_123);
    let refused = Status { version: None, time, refused: true, diagnostics: vec![full, bare], count: 250 };
    assert_eq!(store.put_status(&refused).await, Ok(()));
    assert_eq!(store.status().await, Ok(Some(refused)));
    let good = Status { version: Some(7), time, refused: false, diagnostics: vec![], count: 0 };
    assert_eq!(store.put_status(&good).await, Ok(()));
    assert_eq!(store.status().await, Ok(Some(good)));
}
