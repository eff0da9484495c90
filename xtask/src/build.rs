//! x
pub(crate) async fn run(_: &crate::workspace::Workspace) -> Result<(), crate::Failure> { Ok(()) }
