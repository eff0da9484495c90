//! Sending a case's request.

use std::error::Error;

use bytes::Bytes;
use faregate_tests::{Answer, Stack};
use http::{Request, header};

use crate::model::Case;

/// The host of requests that may have any.
pub(crate) const ANY_HOST: &str = "gateway.example";

/// A stack and the scheme by which clients come.
pub(crate) struct Door {
    pub(crate) stack: Stack,
    /// The listener's.
    pub(crate) scheme: String,
}

impl Door {
    /// The scheme that a case is sent by. A function URL only knows `https`; where an answer depends on it, as
    /// redirects do, the event says what the case or the listener says.
    pub(crate) fn scheme_of(&self, case: &Case) -> String {
        let listener = case.request.scheme.as_deref().unwrap_or(&self.scheme);
        if case.expect.redirect.is_some() { listener.to_owned() } else { "https".to_owned() }
    }

    /// Sends the request once.
    ///
    /// # Errors
    ///
    /// In words, where there is no answer.
    pub(crate) async fn send(&self, case: &Case) -> Result<Answer, String> {
        let request = request(case).map_err(|error| format!("no request: {error}"))?;
        let answer = match &*self.scheme_of(case) {
            "https" => self.stack.send(request).await,
            other => self.stack.send_by(other, request).await,
        };
        answer.map_err(|error| match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })
    }
}

fn request(case: &Case) -> Result<Request<Bytes>, http::Error> {
    let asked = &case.request;
    let query = asked.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = Request::builder()
        .method(&*asked.method)
        .uri(format!("{}{query}", asked.path))
        .header(header::HOST, asked.host.as_deref().unwrap_or(ANY_HOST));
    for (name, value) in &asked.headers {
        request = request.header(name, value);
    }
    if !asked.backend_sets_response_headers.is_empty() {
        let pairs = asked.backend_sets_response_headers.iter().map(|(name, value)| format!("{name}:{value}"));
        request = request.header("x-echo-set-header", pairs.collect::<Vec<_>>().join(", "));
    }
    request.body(Bytes::new())
}
