//! API keys: their shape, their hash, and the items of the Keys table.

mod item;
mod token;

pub use item::{InvalidKeyItem, KeyItem};
pub use token::{KEY_BYTES_MAX, KeyHash, Mistyped, generate, screen};
