//! x
#[derive(Debug, clap::Args)]
pub(crate) struct TestArguments {}
pub(crate) async fn run(_: &TestArguments, _: &crate::workspace::Workspace) -> Result<(), crate::Failure> { Ok(()) }
