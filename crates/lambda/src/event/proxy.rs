//! Events of REST APIs and load balancers, which have the query, and often the headers, as maps.

use faregate_core::problem::Problem;
use faregate_engine::gateway::Peer;
use http::HeaderMap;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    Decoded, EventSource, headers, peer, problems, query,
    request::Draft,
    text::{Multi, Single, Text},
};

/// Decodes an event that is no payload 2.0.
pub(super) fn decode(payload: &[u8]) -> Decoded {
    match serde_json::from_slice::<ProxyEvent<'_>>(payload) {
        Ok(event) => event.decode(),
        // The error's own words may quote the event, and the cause is logged.
        Err(error) => refused(format!(
            "the event is not what it should be: {:?} error at line {}, column {}",
            error.classify(),
            error.line(),
            error.column()
        )),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProxyEvent<'a> {
    /// Only payload 2.0 has it.
    raw_path: Option<IgnoredAny>,
    /// Requests to Lambda authorizers have it.
    r#type: Option<IgnoredAny>,
    #[serde(borrow)]
    http_method: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
    #[serde(borrow)]
    headers: Option<Single<'a>>,
    #[serde(borrow)]
    multi_value_headers: Option<Multi<'a>>,
    #[serde(borrow)]
    query_string_parameters: Option<Single<'a>>,
    #[serde(borrow)]
    multi_value_query_string_parameters: Option<Multi<'a>>,
    #[serde(borrow)]
    request_context: Option<Context<'a>>,
    #[serde(borrow)]
    body: Option<Text<'a>>,
    is_base64_encoded: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context<'a> {
    /// Only load balancers have it.
    elb: Option<IgnoredAny>,
    /// Only WebSocket APIs have it.
    connection_id: Option<IgnoredAny>,
    #[serde(borrow)]
    domain_name: Option<Text<'a>>,
    #[serde(borrow)]
    identity: Option<Identity<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity<'a> {
    #[serde(borrow)]
    source_ip: Option<Text<'a>>,
}

impl ProxyEvent<'_> {
    fn decode(self) -> Decoded {
        let source = match self.source() {
            Ok(source) => source,
            Err(cause) => return refused(cause.to_owned()),
        };
        let headers = self.headers();
        let peer = self.peer(source, headers.as_ref().ok());
        let request_id = headers::request_id(&headers);
        Decoded { request: self.request(source, headers), request_id, peer, source }
    }

    /// What made the event; or why none of these did.
    fn source(&self) -> Result<EventSource, &'static str> {
        let Some(context) = &self.request_context else { return Err("the event has no requestContext") };
        if self.r#type.is_some() {
            return Err("the event asks for an authorisation");
        }
        if context.connection_id.is_some() {
            return Err("the event is a WebSocket's");
        }
        if self.raw_path.is_some() || self.http_method.is_none() {
            return Err("the event is of no kind that is answered");
        }
        if context.elb.is_some() {
            return Ok(EventSource::Alb { multi_value: self.multi_value_headers.is_some() });
        }
        Ok(EventSource::Rest)
    }

    fn headers(&self) -> Result<HeaderMap, Problem> {
        match &self.multi_value_headers {
            Some(multi) if !multi.0.is_empty() => headers::collect(multi.values()),
            _ => headers::collect(self.headers.iter().flat_map(Single::values)),
        }
    }

    fn peer(&self, source: EventSource, headers: Option<&HeaderMap>) -> Peer {
        let mut forwarded_for = headers.map(peer::forwarded_for).unwrap_or_default();
        let address = if matches!(source, EventSource::Alb { .. }) {
            // The load balancer appends the address that connected to it.
            forwarded_for.pop()
        } else {
            let identity = self.request_context.as_ref().and_then(|context| context.identity.as_ref());
            let address = identity.and_then(|identity| identity.source_ip.as_deref()?.parse().ok());
            forwarded_for = peer::before(forwarded_for, address);
            address
        };
        Peer { address, forwarded_for, ..Peer::default() }
    }

    fn request(
        self,
        source: EventSource,
        headers: Result<HeaderMap, Problem>,
    ) -> Result<http::Request<bytes::Bytes>, Problem> {
        let missing = || problems::invalid("send an HTTP request", "the event has no path");
        let path = self.path.ok_or_else(missing)?;
        // API Gateway decodes the query's parts; load balancers leave them as sent.
        let query = query::of_maps(
            self.multi_value_query_string_parameters.as_ref(),
            self.query_string_parameters.as_ref(),
            source == EventSource::Rest,
        );
        let context = self.request_context.unwrap_or_default();
        let draft = Draft {
            method: self.http_method.as_deref().unwrap_or_default(),
            path: &path,
            stage: None,
            query: &query,
            headers,
            domain: context.domain_name.as_deref(),
            body: self.body.map(|Text(body)| body),
            is_base64: self.is_base64_encoded.unwrap_or_default(),
        };
        draft.into_request()
    }
}

fn refused(cause: String) -> Decoded {
    let request = Err(problems::invalid("send an HTTP request", cause));
    Decoded { request, request_id: None, peer: Peer::default(), source: EventSource::Unknown }
}

#[cfg(test)]
mod tests;
