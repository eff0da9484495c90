//! The one way out: every request that Faregate sends to a backend, an issuer or any other service.
//!
//! [`OutboundClient`] is the adapter of [`faregate_engine::ports::Outbound`]. It sends what it is given,
//! byte for byte, and hands the answer back as it came: no redirect is followed, no content decoded, no
//! proxy asked, no header added but `host` and `content-length`. Each part of the exchange has its bound.
//!
//! # Address guard
//!
//! Names are resolved here, and only after every address of a name has passed the guard is one of them
//! connected to: the guard sees what the socket will see (SECURITY.md 17). The rules are in `guard`; they
//! know no network and no clock.
//!
//! # Why not reqwest
//!
//! reqwest is hyper-util's client with policies on top. Those cannot all be taken off: it adds `accept: */*`
//! to what has no `accept`, and a redirect whose `location` is no URL is an error although no redirect is to
//! be followed. So this crate uses hyper-util's client itself.

mod clients;
mod connect;
mod destination;
mod failure;
mod guard;
mod limits;
mod outbound;
mod settings;
mod stream;
mod tls;

pub use outbound::OutboundClient;
pub use settings::{InvalidSettings, OutboundSettings};
