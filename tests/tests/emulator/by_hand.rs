//! `cargo xtask dev --stack-only`: the gateway by hand, with what it prints.

use std::process::Stdio;

use faregate_tests::{ProcessGroup, again};
use tokio::time::timeout;

use super::{
    dev::{Dev, PATIENCE},
    shell::{paste, shell},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_environment_and_commands_run_the_gateway() {
    let dev = Dev::start_stack_only().await;
    let lines = |start: &str| dev.printed.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>().join("\n");
    let (exports, watch, invoke) = (lines("export "), lines("cargo lambda watch"), lines("cargo lambda invoke"));
    for wanted in ["AWS_ENDPOINT_URL_DYNAMODB=", "FAREGATE_CONFIG_TABLE=", "FAREGATE_ALLOW_LOOPBACK=1"] {
        assert!(exports.contains(wanted), "{wanted} in {exports}");
    }
    assert!(!dev.printed.lines().any(|line| line.starts_with("ready:")), "{}", dev.printed);
    // Whatever becomes of this test: the gateway, which is in a group of its own, ends with the emulator.
    let mut gateway = shell(&format!("{exports}\nexec {watch}"));
    let mut gateway = ProcessGroup::spawn(gateway.stdout(Stdio::null()).stderr(Stdio::null())).expect("started");

    let invoked = async {
        let mut again = again();
        loop {
            again.tick().await;
            let answer = paste(&format!("{exports}\n{invoke}")).await;
            if answer.success {
                return answer.stdout;
            }
        }
    };
    let answer = timeout(PATIENCE, invoked).await.expect("an answer");
    // The body of the demo's own answer; a problem would be JSON.
    assert_eq!(answer.trim(), "ok");
    let answer = dev.call("GET", "/demo/hello", Some(&dev.key)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    timeout(PATIENCE, gateway.interrupt()).await.expect("an end").expect("a status");
}
