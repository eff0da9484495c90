//! The three ports, taken before anything else happens.

use std::net::{Ipv4Addr, TcpListener};

use super::DevArguments;
use crate::failure::Failure;

/// The ports, held until their owners take over.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) gateway: TcpListener,
    pub(super) backend: TcpListener,
    /// Given up just before the database takes it.
    pub(super) dynamodb: Option<TcpListener>,
}

/// Takes the ports.
pub(super) fn open(arguments: &DevArguments) -> Result<Listeners, Failure> {
    let gateway = listen(arguments.port, "the gateway", "--port")?;
    let dynamodb = listen(arguments.dynamodb_port, "the embedded DynamoDB", "--dynamodb-port")?;
    let backend = listen(arguments.backend_port, "the demo backend", "--backend-port")?;
    backend.set_nonblocking(true).map_err(Failure::because("the demo backend's port"))?;
    Ok(Listeners { gateway, backend, dynamodb: Some(dynamodb) })
}

fn listen(port: u16, whose: &str, flag: &str) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    listener.map_err(|cause| Failure::new(taken(port, whose, flag, &cause.to_string())))
}

fn taken(port: u16, whose: &str, flag: &str, cause: &str) -> String {
    let other = port.checked_add(1).unwrap_or(1024);
    format!(
        "port {port} of {whose} cannot be used: {cause}\nIs another one running? Choose a free port, as with {flag} {other}"
    )
}

#[cfg(test)]
mod tests {
    use super::{listen, taken};

    #[test]
    fn a_taken_port_names_its_flag() {
        let message = taken(9000, "the gateway", "--port", "in use");
        assert!(message.starts_with("port 9000 of the gateway"), "{message}");
        assert!(message.ends_with("--port 9001"), "{message}");
    }

    #[test]
    fn a_port_can_be_held_once() {
        let held = listen(0, "a test", "--port").expect("a free port");
        let port = held.local_addr().expect("address").port();
        assert!(listen(port, "a test", "--port").is_err());
    }
}
