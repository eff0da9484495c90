//! The same figures as JSON, under `target/bench`.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

/// Writes it and says where.
pub(crate) fn write(cases: &[Value], entering: &[Value]) -> PathBuf {
    let program = std::env::current_exe().expect("a program");
    // It is `target/<profile>/deps/<program>`.
    let target = program.ancestors().nth(3).expect("a target folder");
    let folder = target.join("bench");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("limits.json");
    let report = json!({ "cases": cases, "entering_a_window": entering });
    fs::write(&file, format!("{report:#}\n")).expect("a file");
    file
}
