//! As much of SSM as `GetParameter` needs.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// A server of parameters on 127.0.0.1; ends when it is dropped.
pub(crate) struct FakeSsm {
    pub(crate) endpoint: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    parameters: Mutex<BTreeMap<String, String>>,
    refusal: Mutex<Option<(u16, &'static str)>>,
    requests: Mutex<Vec<Value>>,
    connections: AtomicUsize,
    held: AtomicBool,
    release: tokio::sync::Notify,
}

impl FakeSsm {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared::default());
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { endpoint, shared, server }
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        self.shared.parameters.lock().expect("a lock").insert(name.to_owned(), value.to_owned());
    }

    /// Every request is refused so until `None` is set.
    pub(crate) fn refuse(&self, refusal: Option<(u16, &'static str)>) {
        *self.shared.refusal.lock().expect("a lock") = refusal;
    }

    /// Answers wait until they are released.
    pub(crate) fn hold(&self) {
        self.shared.held.store(true, Ordering::SeqCst);
    }

    pub(crate) fn release(&self) {
        self.shared.held.store(false, Ordering::SeqCst);
        self.shared.release.notify_waiters();
    }

    /// The bodies of the requests so far.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.shared.requests.lock().expect("a lock").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for FakeSsm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(answer(request, &shared).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    assert_eq!(request.headers()["x-amz-target"], "AmazonSSM.GetParameter");
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let name = body["Name"].as_str().expect("a name").to_owned();
    let released = shared.release.notified();
    shared.requests.lock().expect("a lock").push(body);
    if shared.held.load(Ordering::SeqCst) {
        released.await;
    }
    if let Some((status, code)) = *shared.refusal.lock().expect("a lock") {
        return error(status, code);
    }
    match shared.parameters.lock().expect("a lock").get(&name) {
        Some(value) => json_answer(200, &json!({"Parameter": {"Name": name, "Value": value, "Type": "SecureString"}})),
        None => error(400, "ParameterNotFound"),
    }
}

fn error(status: u16, code: &str) -> Response<Full<Bytes>> {
    json_answer(status, &json!({"__type": code, "message": format!("the message of {code}")}))
}

fn json_answer(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response.headers_mut().insert("content-type", "application/x-amz-json-1.1".parse().expect("a value"));
    response
}
