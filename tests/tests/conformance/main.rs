//! The Kubernetes Gateway API's conformance suites for `HTTPRoute`, run against the real gateway.
//!
//! Each (gateway, listener port) of a suite becomes a document and a stack of its own ([`translate`]); each
//! case is sent through the function URL to echo backends and held against what it expects ([`expect`]). Every
//! case gets a verdict, with a reason where it is not applicable. The table goes to standard output (see it
//! with `--nocapture`) and to `conformance/httproute.md` in the target folder.
#![allow(clippy::print_stdout, reason = "the table is what this test is run for")]

mod backends;
mod expect;
mod hosts;
mod model;
mod report;
mod run;
mod translate;

use std::fs;

use faregate_tests::{binary, target_folder, vectors};

use report::Report;

const VECTORS: &str = "gateway-api-httproute.json";
const README: &str = include_str!("../../../README.md");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_httproute_case_passes_or_is_not_applicable_for_a_reason() {
    let file: Option<model::File> = vectors(VECTORS).expect("the suites as they are known here");
    let Some(file) = file else {
        println!("{VECTORS} is absent (FAREGATE_VECTORS names its folder): nothing was run");
        return;
    };
    if let Err(missing) = binary("gateway") {
        panic!("{missing}");
    }
    let backends = backends::start(&file.suites).await.expect("echo backends");
    let mut report = Report::default();
    for suite in &file.suites {
        report.add(suite, run::suite(suite, &backends).await);
    }
    let markdown = report.markdown();
    println!("{markdown}");
    let folder = target_folder().join("conformance");
    fs::create_dir_all(&folder).expect("a folder for the table");
    fs::write(folder.join("httproute.md"), &markdown).expect("the table in its file");
    let cases: usize = file.suites.iter().map(|suite| suite.cases.len()).sum();
    assert_eq!(report.total().cases(), cases, "every case has a verdict");
    assert_eq!(report.total().failed, 0, "cases failed, see the table");
    assert!(README.contains(&report.table()), "the README shows another table:\n{}", report.table());
    assert!(README.contains(&report.remark()), "the README does not say that {}", report.remark());
}
