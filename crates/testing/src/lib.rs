//! What the other crates are tested with: stand-ins for the platform that behave as it does.

pub mod contract;
pub mod driver;
pub mod dynamodb;
pub mod issuer;
