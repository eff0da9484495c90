//! Any JSON as a document, and what is without mistakes as an environment reads it: `cargo +nightly fuzz run documents`.

#![no_main]

use faregate_core::{
    check::{CheckOptions, check, entries_of_file},
    diagnostic::Report,
    document::Document,
    snapshot::Snapshot,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = serde_json::from_slice::<Value>(bytes) else { return };
    let mut report = Report::default();
    let entries: Vec<_> = entries_of_file(&file, &mut report).into_iter().map(|(_, entry)| entry).collect();
    let Some(raw) = check(&entries, CheckOptions::default(), report).document else { return };
    let document: Document =
        serde_json::to_vec(&raw).and_then(|bytes| serde_json::from_slice(&bytes)).expect("a document");
    assert!(Snapshot::compile(&document, &mut Report::default()).is_some(), "what is published loads");
});
