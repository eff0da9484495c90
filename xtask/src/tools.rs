//! Programs that the project needs and a machine may lack. They are installed into the project's own folder.

mod cargo_deny;
mod cargo_lambda;
mod crates;
mod node;
mod python;
mod version;

pub(crate) use cargo_deny::cargo_deny;
pub(crate) use cargo_lambda::{CargoLambda, cargo_lambda, installed_cargo_lambda};
pub(crate) use node::ensure as ensure_node_packages;
pub(crate) use python::{PythonTool, ensure as ensure_python_tool};
