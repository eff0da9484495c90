//! The outbound client over real sockets: raw backends that say exactly what a test says.

mod answers;
mod guard;
mod limits;
mod pool;
mod support;
mod tls;
mod wire;
