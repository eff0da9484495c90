//! What must not be in the tree of a package that is deployed, or that is to know nothing of AWS.
//!
//! cargo-deny looks at single edges of the whole workspace; this looks at everything below one package, built as it
//! is deployed.

use crate::{
    failure::Failure,
    process::{cargo, run_quietly},
    workspace::Workspace,
};

/// A package and the crates that must not be below it: names, or `name version-prefix`.
struct Wall {
    package: &'static str,
    features: &'static [&'static str],
    forbidden: &'static [&'static str],
}

/// Crates for tests only, second crypto and HTTP stacks, and decoders that are not fit for the hot path.
const NEVER_DEPLOYED: &[&str] = &[
    "faregate-testing",
    "dynoxide-rs",
    "proptest",
    "rcgen",
    "tempfile",
    "ring",
    "openssl",
    "native-tls",
    "lambda_http",
    "hyper v0.14",
    "rustls v0.21",
];

const WALLS: &[Wall] = &[
    Wall { package: "gateway", features: &[], forbidden: NEVER_DEPLOYED },
    // The gateway loads what has been checked; it carries no checker, and traces by OTLP only where that is asked for.
    Wall { package: "gateway", features: &[], forbidden: &["jsonschema", "schemars", "opentelemetry"] },
    Wall { package: "publisher", features: &[], forbidden: NEVER_DEPLOYED },
    Wall {
        package: "faregate-core",
        features: &["--all-features"],
        forbidden: &["tokio", "hyper", "reqwest", "aws-config", "aws-sdk-dynamodb", "lambda_runtime", "tracing"],
    },
    Wall {
        package: "faregate-engine",
        features: &["--all-features"],
        forbidden: &["hyper", "reqwest", "aws-config", "aws-sdk-dynamodb", "lambda_runtime", "aws_lambda_events"],
    },
];

/// Checks every wall.
pub(super) async fn check(workspace: &Workspace) -> Result<(), Failure> {
    for wall in WALLS {
        let mut tree = cargo(workspace);
        tree.args(["tree", "--edges", "normal", "--prefix", "none", "--package", wall.package]).args(wall.features);
        let tree = run_quietly(&mut tree, &format!("cargo tree -p {}", wall.package)).await?;
        if let Some(found) = found_in(&tree, wall.forbidden) {
            let package = wall.package;
            let message =
                format!("{package} depends on {found}; find out how: cargo tree -p {package} -e normal -i {found}");
            return Err(Failure::new(message));
        }
        println!("{}: none of {}", wall.package, wall.forbidden.join(", "));
    }
    Ok(())
}

/// The first forbidden crate in lines such as `hyper v1.12.0`.
fn found_in(tree: &str, forbidden: &'static [&str]) -> Option<&'static str> {
    let is = |line: &str, crate_: &str| match crate_.split_once(' ') {
        Some(_) => line.starts_with(crate_),
        None => line.split_ascii_whitespace().next() == Some(crate_),
    };
    forbidden.iter().copied().find(|crate_| tree.lines().any(|line| is(line, crate_)))
}

#[cfg(test)]
mod tests {
    use super::found_in;

    const TREE: &str = "gateway v0.1.0 (/x)\nhyper v1.12.0\nhyper-util v0.1.21\nstring v0.3.0\n";

    #[test]
    fn a_crate_is_found_by_its_whole_name() {
        assert_eq!(found_in(TREE, &["ring", "hyper-util"]), Some("hyper-util"));
        assert_eq!(found_in(TREE, &["ring", "util"]), None);
    }

    #[test]
    fn a_version_counts_where_it_is_given() {
        assert_eq!(found_in(TREE, &["hyper v0.14"]), None);
        assert_eq!(found_in(TREE, &["hyper v1."]), Some("hyper v1."));
    }
}
