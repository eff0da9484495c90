//! The gateway function: invocation in, answer out, side work done, then the next one.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use faregate_engine::{
    gateway::{Gateway, Handled, Incoming, Peer, SideWork, Undecodable},
    ports::Clock,
};
use futures_util::future::BoxFuture;
use http::{Method, Request, Response, header};
use lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime, service_fn};
use lambda_runtime_api_client::{BoxError, PooledClient, body::Body};
use serde_json::Value;
use tower::{Service, layer::layer_fn};

use crate::{
    answer::{self, StreamedBody},
    event::{self, EventSource},
    extension,
    settings::InvokeMode,
    telemetry::shortened,
};

/// How long the start may take to load the snapshot; the first request tries again.
const WARM_UP_LIMIT: Duration = Duration::from_secs(1);
/// What posting the answer leaves of the invocation's time.
const POST_RESERVE: Duration = Duration::from_millis(100);
/// What side work leaves of the invocation's time.
const SIDE_WORK_RESERVE: Duration = Duration::from_millis(50);

/// Serves invocations until the environment ends.
///
/// # Errors
///
/// When the Runtime API fails for good.
pub async fn serve(gateway: Gateway, clock: Arc<dyn Clock>, invoke_mode: InvokeMode) -> Result<(), BoxError> {
    let client = Arc::new(PooledClient::builder().build());
    let (extensions, ()) = tokio::join!(extension::register(Arc::clone(&client)), gateway.warm_up(WARM_UP_LIMIT));
    if !extensions {
        tracing::warn!("no Extensions API: nobody says when the environment ends, and what it holds is lost then");
    }
    let gateway = Arc::new(gateway);
    let service = AnswerService { gateway: Arc::clone(&gateway), clock, client, invoke_mode };
    // The handler is never called: the layer answers in its place.
    let handler = service_fn(|_: LambdaEvent<Value>| async { Ok::<Value, Infallible>(Value::Null) });
    let runtime = Runtime::new(handler).layer(layer_fn(move |_| service.clone()));
    // A task of its own: whenever the future that the process waits for is woken, tokio makes a system call.
    let mut invocations = tokio::spawn(runtime.run_concurrent());
    tokio::select! {
        ended = &mut invocations => ended?,
        () = extension::terminated() => {
            invocations.abort();
            // Whatever it held is given up before anything is given back.
            drop(invocations.await);
            gateway.leave().await;
            Ok(())
        }
    }
}

/// Answers invocations by posting to the Runtime API itself.
#[derive(Clone)]
struct AnswerService {
    gateway: Arc<Gateway>,
    clock: Arc<dyn Clock>,
    client: Arc<PooledClient>,
    invoke_mode: InvokeMode,
}

impl Service<LambdaInvocation> for AnswerService {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            // An error here would end the process; the invocation is lost, the environment need not be.
            if let Err(error) = service.invoke(invocation).await {
                tracing::error!(error = shortened(&error), "the answer could not be posted");
            }
            Ok(())
        })
    }
}

impl AnswerService {
    async fn invoke(&self, invocation: LambdaInvocation) -> Result<(), BoxError> {
        let started = self.clock.monotonic();
        let remaining = self.remaining(invocation.context.deadline);
        let decoded = event::decode(&invocation.body);
        let source = decoded.source;
        let request_id = decoded.request_id;
        let request = decoded.request.map_err(|problem| Undecodable { problem, request_id });
        let peer = Peer { xray_trace: invocation.context.xray_trace_id, ..decoded.peer };
        let incoming = Incoming { request, peer, remaining };
        let Handled { response, side_work } = self.gateway.handle(incoming).await;
        let left = || remaining.map(|time| time.saturating_sub(self.clock.monotonic().saturating_sub(started)));
        let posted = self.post_in_time(&invocation.context.request_id, source, response, left()).await;
        let posted_at = self.clock.monotonic();
        let limit = left().map_or(SideWork::LIMIT, |left| left.saturating_sub(SIDE_WORK_RESERVE).min(SideWork::LIMIT));
        // Neither may keep the next invocation waiting.
        let flushed = tokio::time::timeout(limit, self.gateway.flush());
        let ((), _) = tokio::join!(side_work.join(limit), flushed);
        self.gateway.waited(self.clock.monotonic().saturating_sub(posted_at));
        posted
    }

    /// Time until the deadline; one that is past already, as emulators send it, says nothing.
    fn remaining(&self, deadline_millis: u64) -> Option<Duration> {
        let now = self.clock.now().as_millis();
        (deadline_millis > now).then(|| Duration::from_millis(deadline_millis - now))
    }

    /// Posts the answer, but gives up on a reader that is still not done when the invocation's time ends.
    async fn post_in_time(
        &self,
        request_id: &str,
        source: EventSource,
        response: Response<faregate_engine::gateway::RecordedBody>,
        remaining: Option<Duration>,
    ) -> Result<(), BoxError> {
        let post = self.post(request_id, source, response);
        match remaining {
            Some(remaining) => tokio::time::timeout(remaining.saturating_sub(POST_RESERVE), post).await?,
            None => post.await,
        }
    }

    async fn post(
        &self,
        request_id: &str,
        source: EventSource,
        response: Response<faregate_engine::gateway::RecordedBody>,
    ) -> Result<(), BoxError> {
        let streams = source == EventSource::FunctionUrl && self.invoke_mode == InvokeMode::Stream;
        let request =
            if streams { streamed(request_id, response)? } else { buffered(request_id, source, response).await? };
        let answer = self.client.call(request).await?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(format!("the Runtime API answered {}", answer.status()).into())
        }
    }
}

fn response_uri(request_id: &str) -> String {
    format!("/2018-06-01/runtime/invocation/{request_id}/response")
}

fn streamed(
    request_id: &str,
    response: Response<faregate_engine::gateway::RecordedBody>,
) -> Result<Request<Body>, http::Error> {
    let (parts, body) = response.into_parts();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(response_uri(request_id))
        .header(header::CONTENT_TYPE, answer::CONTENT_TYPE)
        .header(header::TRANSFER_ENCODING, "chunked")
        .header("Lambda-Runtime-Function-Response-Mode", "streaming");
    for name in answer::TRAILERS {
        request = request.header(header::TRAILER, name.as_str());
    }
    request.body(Body::new(StreamedBody::new(answer::prelude(&parts), body)))
}

async fn buffered(
    request_id: &str,
    source: EventSource,
    response: Response<faregate_engine::gateway::RecordedBody>,
) -> Result<Request<Body>, http::Error> {
    let (mut parts, body) = response.into_parts();
    let bytes_max = answer::body_bytes_max(source, &parts);
    let body: Bytes = body.collect_into(&mut parts, bytes_max).await;
    let json = answer::buffered(source, &parts, &body);
    Request::builder()
        .method(Method::POST)
        .uri(response_uri(request_id))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json))
}
