//! Any JSON as a document: `cargo +nightly fuzz run documents`.

#![no_main]

use faregate_core::{
    check::{CheckOptions, check, entries_of_file},
    diagnostic::Report,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = serde_json::from_slice::<Value>(bytes) else { return };
    let mut report = Report::default();
    let entries: Vec<_> = entries_of_file(&file, &mut report).into_iter().map(|(_, entry)| entry).collect();
    let _ = check(&entries, CheckOptions::default(), report);
});
