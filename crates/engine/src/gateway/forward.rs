//! The action *forward*: transform the request, send it, transform the answer.

mod head;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use faregate_core::{
    forwarding::strip_backend_headers,
    policy::forward::{BackendChoice, ForwardPolicy, HostPolicy},
    problem::{Code, Problem},
    snapshot::{BackendPolicy, Snapshot, TargetPolicy},
};
use http::{HeaderMap, HeaderValue, Response, header, request::Parts};

use super::{Ports, deadline::Deadline, edge::Client, limit::Admission, recorder::Recorder, route::Matched, trace};
use crate::{
    body::Body,
    ports::{OutboundError, OutboundLimits, OutboundRequest},
};

/// Who forwards, and how.
pub(super) struct Forward<'a> {
    pub(super) policy: &'a ForwardPolicy,
    pub(super) ports: &'a Ports,
    pub(super) snapshot: &'a Snapshot,
}

/// What is forwarded.
pub(super) struct Request<'a> {
    pub(super) parts: &'a Parts,
    /// The client's headers without those that never cross.
    pub(super) headers: HeaderMap,
    pub(super) content: Bytes,
    pub(super) client: &'a Client,
    pub(super) matched: &'a Matched<'a>,
}

impl Forward<'_> {
    /// Sends the request to one target of one backend.
    pub(super) async fn send(
        &self,
        request: Request<'_>,
        admission: &Admission,
        deadline: Deadline<'_>,
        recorder: &mut Recorder,
    ) -> Result<Response<Body>, Problem> {
        let unavailable = || Problem::new(Code::BackendUnavailable, "try again later").caused_by("nothing to draw");
        let choice = self.policy.draw(self.ports.random.next_u64()).ok_or_else(unavailable)?;
        let backend = &self.snapshot.backends[choice.backend];
        let target = backend.draw(self.ports.random.next_u64()).ok_or_else(unavailable)?;
        recorder.record.backend = Some(Arc::clone(&backend.id));
        recorder.record.target = Some(Arc::clone(&target.url));

        let Request { parts, mut headers, content, client, matched } = request;
        matched.route.authenticate.hide_headers(&mut headers);
        let outbound = OutboundRequest {
            method: parts.method.clone(),
            origin: target.origin.clone(),
            path_and_query: self.path_and_query(parts, matched, target)?,
            limits: self.limits(backend, deadline),
            headers: self.headers(headers, client, admission, choice, target, recorder),
            body: content,
        };
        let answered = recorder.forwarded(self.ports.outbound.send(outbound)).await;
        let mut response = answered.map_err(|error| problem_of(&error))?;
        strip_backend_headers(response.headers_mut());
        self.policy.response_headers.apply(response.headers_mut());
        Ok(response)
    }

    /// Base path, rewritten path and the query without hidden credentials.
    fn path_and_query(&self, parts: &Parts, matched: &Matched<'_>, target: &TargetPolicy) -> Result<String, Problem> {
        let uri = &parts.uri;
        let pattern = &matched.entry.pattern;
        let captures = pattern.captures(uri.path()).unwrap_or_default();
        let path = self.policy.path.apply(uri.path(), pattern, &captures).map_err(|error| {
            Problem::new(Code::RequestInvalid, "the path cannot be forwarded").caused_by(error.to_string())
        })?;
        let query = matched.route.authenticate.visible_query(uri.query());
        let separator = if query.is_empty() { "" } else { "?" };
        Ok(format!("{}{path}{separator}{query}", target.base_path))
    }

    /// The client's headers with what the gateway says of the request, then with the route's changes.
    fn headers(
        &self,
        mut headers: HeaderMap,
        client: &Client,
        admission: &Admission,
        choice: &BackendChoice,
        target: &TargetPolicy,
        recorder: &mut Recorder,
    ) -> HeaderMap {
        head::add_forwarding(&mut headers, client, &recorder.record.request_id);
        head::add_identity(&mut headers, admission.clearance().caller(), admission.plan());
        trace::continue_trace(&mut headers, &recorder.record.trace_id, &recorder.record.span);
        let host = match &self.policy.host {
            HostPolicy::Target => Some(target.authority.clone()),
            HostPolicy::Preserve => HeaderValue::from_str(&client.authority).ok(),
            HostPolicy::Name(name) => Some(name.clone()),
        };
        headers.insert(header::HOST, host.unwrap_or_else(|| target.authority.clone()));
        self.policy.request_headers.apply(&mut headers);
        choice.request_headers.apply(&mut headers);
        headers
    }

    /// The backend's timeouts, the route's and what the invocation leaves.
    fn limits(&self, backend: &BackendPolicy, deadline: Deadline<'_>) -> OutboundLimits {
        let bound = |millis: u32| (millis > 0).then(|| Duration::from_millis(millis.into()));
        let timeouts = &backend.timeouts;
        let until_headers = [bound(timeouts.response_ms), bound(self.policy.timeout_ms)];
        OutboundLimits {
            connect: bound(timeouts.connect_ms),
            response: until_headers.into_iter().flatten().min(),
            idle: bound(timeouts.idle_ms),
            stream: bound(timeouts.stream_ms),
            invocation: deadline.left(),
        }
    }
}

/// What the client may know of a failure.
fn problem_of(error: &OutboundError) -> Problem {
    let (code, detail) = match error {
        OutboundError::InvalidUrl(_) => (Code::RequestInvalid, "the URL cannot be forwarded unchanged"),
        OutboundError::AddressRefused(_) | OutboundError::Connect(_) | OutboundError::BrokenAnswer(_) => {
            (Code::BackendFailed, "the backend gave no usable answer")
        }
        OutboundError::ConnectTimeout | OutboundError::ResponseTimeout => {
            (Code::BackendTimeout, "the backend did not answer in time")
        }
    };
    Problem::new(code, detail).caused_by(error.to_string())
}
