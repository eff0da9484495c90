use std::{collections::BTreeMap, path::PathBuf};

use super::{
    dev::{Dev, free_port, ports, xtask},
    missing::left_behind,
};

/// All processes below one, by `/proc`.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if let Some(parent) = parent.and_then(|parent| parent.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![of];
    while let Some(pid) = open.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            found.push(child);
            open.push(child);
        }
    }
    found
}

fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z")
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_no_process_and_no_port() {
    let mut dev = Dev::start().await;
    let started = descendants(dev.pid());
    assert!(started.len() >= 2, "cargo-lambda and the publisher: {started:?}");
    dev.interrupt().await;
    for pid in started {
        assert!(!is_running(pid), "{pid} is still there");
    }
    for address in [dev.gateway, dev.dynamodb] {
        std::net::TcpListener::bind(address).expect("a free port");
    }
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_flag_and_nothing_starts() {
    for (position, flag) in [(0, "--port"), (1, "--dynamodb-port"), (2, "--backend-port")] {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut chosen = [free_port(), free_port(), free_port()];
        chosen[position] = taken.local_addr().expect("an address").port();
        let arguments = [vec!["dev".to_owned()], ports(chosen[0], chosen[1], chosen[2])].concat();
        let mark = format!("{flag} {} of {}", chosen[position], std::process::id());
        let output = xtask(&arguments).env("STARTED_BY_A_TEST", &mark).output().await.expect("an end");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(said.contains(flag) && said.contains(&chosen[position].to_string()), "{said}");
        // The publisher inherits nothing, but knows the database.
        let database = format!("127.0.0.1:{}", chosen[1]);
        for mark in [mark, database] {
            assert_eq!(left_behind(mark.as_bytes()), Vec::<PathBuf>::new(), "{mark}");
        }
        for port in chosen.into_iter().filter(|port| *port != chosen[position]) {
            std::net::TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|error| panic!("{flag}, {port}: {error}"));
        }
    }
}
