//! The function URL: HTTP requests in, events to the dispatcher, answers out.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::dispatch::{Dispatcher, new_id, trace_id};
use super::event::{Circumstances, event};
use super::reply::{ReplyBody, refusal, reply};

/// The largest event that Lambda takes.
const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// The function URL of a driver.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) region: Arc<str>,
    pub(crate) dispatcher: Arc<Dispatcher>,
}

impl Front {
    pub(crate) async fn handle(self, peer: SocketAddr, request: Request<Incoming>) -> Response<ReplyBody> {
        let circumstances = Circumstances {
            client_ip: peer.ip().to_string(),
            host: self.address.to_string(),
            request_id: new_id(),
            trace_id: trace_id(),
            region: self.region.to_string(),
        };
        let event = match read(request, &circumstances).await {
            Ok(event) => event,
            Err(refused) => return refused,
        };
        let Circumstances { request_id, trace_id, .. } = circumstances;
        let shown_id = HeaderValue::from_str(&request_id);
        let answer = self.dispatcher.submit_as(request_id, trace_id, event).await;
        let mut response = reply(answer).await;
        if let Ok(id) = shown_id {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        response
    }
}

/// The event of a request, or a refusal of the driver's own.
async fn read(request: Request<Incoming>, circumstances: &Circumstances) -> Result<Bytes, Response<ReplyBody>> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, EVENT_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(error) => return Err(broken(error.as_ref())),
    };
    match event(&parts, &body, circumstances) {
        Ok(event) if event.len() <= EVENT_BYTES_MAX => Ok(event),
        Ok(_) => Err(too_large()),
        Err(error) => Err(broken(&error)),
    }
}

fn too_large() -> Response<ReplyBody> {
    let detail = format!("the event is larger than {EVENT_BYTES_MAX} bytes");
    refusal(StatusCode::PAYLOAD_TOO_LARGE, "request-too-large", detail)
}

fn broken(error: &(dyn Error + 'static)) -> Response<ReplyBody> {
    refusal(StatusCode::BAD_REQUEST, "request-broken", error.to_string())
}
