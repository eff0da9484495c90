//! TLS is verified, and there is no way around it.

use std::sync::Arc;

use faregate_engine::ports::{Outbound, OutboundError};
use rcgen::generate_simple_self_signed;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tokio_rustls::TlsAcceptor;

use crate::support::{Backend, client, get};

#[tokio::test]
async fn a_self_signed_certificate_is_no_connection() {
    let own = generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .expect("a server");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    for host in ["127.0.0.1", "localhost"] {
        let (client, backend) = (client(), Backend::start().await);
        let origin = format!("https://{host}:{}", backend.address().port());
        let server = async { acceptor.accept(backend.accept().await.0).await.err() };
        let (answer, refused) = tokio::join!(client.send(get(&origin)), server);
        assert!(refused.is_some(), "the handshake went through");
        let Err(OutboundError::Connect(text)) = answer else { panic!("{answer:?}") };
        assert!(text.contains("certificate"), "{text}");
    }
}

#[tokio::test]
async fn a_backend_without_tls_is_no_connection() {
    let (client, backend) = (client(), Backend::start().await);
    let origin = format!("https://{}", backend.address());
    let server = async {
        let mut peer = backend.accept().await;
        peer.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.rest().await
    };
    let send = async { client.send(get(&origin)).await };
    let (answer, _) = tokio::join!(send, server);
    assert!(matches!(answer, Err(OutboundError::Connect(_))), "{answer:?}");
}
