//! The action *respond*: an answer of the gateway's own.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde::Deserialize;

use super::headers::header_value;
use crate::{
    diagnostic::{Place, codes},
    forwarding,
};

/// An answer that needs no backend.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Respond {
    /// The status.
    #[cfg_attr(feature = "schema", schemars(range(min = 200, max = 599)))]
    pub status: u16,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body, at most 64 KB.
    #[cfg_attr(feature = "schema", schemars(length(max = 65_536)))]
    pub body: String,
}

impl Default for Respond {
    fn default() -> Self {
        Self { status: 200, headers: BTreeMap::new(), body: String::new() }
    }
}

/// [`Respond`], compiled.
#[derive(Clone, Debug)]
pub struct RespondPolicy {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Respond {
    /// Longest body in bytes.
    pub const BODY_BYTES_MAX: usize = 65_536;

    /// Reads status and headers.
    pub fn compile(&self, place: &mut Place<'_>) -> RespondPolicy {
        if !(200..600).contains(&self.status) {
            place.at("status").error(codes::INVALID_VALUE, "a status is a number from 200 to 599");
        }
        if matches!(self.status, 204 | 304) && !self.body.is_empty() {
            place.at("body").error(codes::CONFLICT, format!("an answer with status {} has no body", self.status));
        }
        if self.body.len() > Self::BODY_BYTES_MAX {
            place.at("body").error(codes::TOO_MANY, format!("a body has at most {} bytes", Self::BODY_BYTES_MAX));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let mut place = place.item("headers", name);
            let value = header_value(value, &mut place);
            match name.parse::<HeaderName>() {
                Ok(name) if name == header::CONTENT_LENGTH || forwarding::is_hop_by_hop(&name) => {
                    place.error(codes::INVALID_VALUE, format!("`{name}` is the gateway's own to set"));
                }
                Ok(name) => {
                    headers.extend(value.map(|value| (name, value)));
                }
                Err(_) => place.error(codes::INVALID_VALUE, format!("`{name}` is no header name")),
            }
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        RespondPolicy { status, headers, body: Bytes::copy_from_slice(self.body.as_bytes()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Respond;
    use crate::diagnostic::Report;

    #[test]
    fn status_headers_and_body_have_bounds() {
        let respond: Respond = serde_json::from_value(serde_json::json!({
            "status": 100, "headers": {"content-length": "5", "a b": "x", "x-ok": "1"}, "body": "x".repeat(65_537),
        }))
        .expect("an answer");
        let mut report = Report::default();
        respond.compile(&mut report.entry("route", "r"));
        let pointers: Vec<_> = report.into_diagnostics().into_iter().map(|found| found.pointer).collect();
        assert_eq!(pointers, ["/status", "/body", "/headers/a b", "/headers/content-length"]);
    }

    #[test]
    fn a_status_that_means_no_body_has_none() {
        for (status, body, codes) in
            [(204, "x", &["conflict"][..]), (304, "x", &["conflict"]), (204, "", &[]), (304, "", &[]), (205, "x", &[])]
        {
            let respond = Respond { status, body: body.to_owned(), ..Respond::default() };
            let mut report = Report::default();
            respond.compile(&mut report.entry("route", "r"));
            let found: Vec<_> = report.into_diagnostics().into_iter().map(|found| found.code).collect();
            assert_eq!(found, codes, "{status} {body:?}");
        }
    }
}
