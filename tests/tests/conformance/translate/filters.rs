//! Filters of rules and backends, as parts of a route.

use serde_json::{Value, json};

use super::{NotApplicable, object};
use crate::model::{Cors, Filter, HeaderModifier, NameValue, PathModifier, RequestRedirect, UrlRewrite};

/// Filters by what they do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filters<'a> {
    pub(super) request_headers: Option<&'a HeaderModifier>,
    pub(super) response_headers: Option<&'a HeaderModifier>,
    pub(super) redirect: Option<&'a RequestRedirect>,
    pub(super) rewrite: Option<&'a UrlRewrite>,
    pub(super) cors: Option<&'a Cors>,
}

impl<'a> Filters<'a> {
    /// Sorts filters.
    pub(super) fn read(filters: &'a [Filter]) -> Result<Self, NotApplicable> {
        let mut sorted = Self::default();
        for filter in filters {
            match filter {
                Filter::RequestHeaderModifier { request_header_modifier } => {
                    once(&mut sorted.request_headers, request_header_modifier)?;
                }
                Filter::ResponseHeaderModifier { response_header_modifier } => {
                    once(&mut sorted.response_headers, response_header_modifier)?;
                }
                Filter::RequestRedirect { request_redirect } => once(&mut sorted.redirect, request_redirect)?,
                Filter::UrlRewrite { url_rewrite } => once(&mut sorted.rewrite, url_rewrite)?,
                Filter::Cors { cors } => once(&mut sorted.cors, cors)?,
                Filter::RequestMirror {} => return Err(NotApplicable::because("mirroring is no feature of Faregate")),
            }
        }
        Ok(sorted)
    }

    /// These filters and those of the only backend, which belong to the route as well; but for the request's headers,
    /// which a backend has of its own.
    pub(super) fn and_of_only_backend(mut self, backend: Self) -> Result<Self, NotApplicable> {
        let Self { request_headers: _, response_headers, redirect, rewrite, cors } = backend;
        response_headers.map_or(Ok(()), |filter| once(&mut self.response_headers, filter))?;
        redirect.map_or(Ok(()), |filter| once(&mut self.redirect, filter))?;
        rewrite.map_or(Ok(()), |filter| once(&mut self.rewrite, filter))?;
        cors.map_or(Ok(()), |filter| once(&mut self.cors, filter))?;
        Ok(self)
    }

    /// Whether there is nothing but changes to the request's headers.
    pub(super) fn only_request_headers(&self) -> bool {
        let Self { request_headers: _, response_headers, redirect, rewrite, cors } = self;
        response_headers.is_none() && redirect.is_none() && rewrite.is_none() && cors.is_none()
    }
}

fn once<'a, T>(place: &mut Option<&'a T>, filter: &'a T) -> Result<(), NotApplicable> {
    match place.replace(filter) {
        None => Ok(()),
        Some(_) => Err(NotApplicable::because("the same filter twice: a route has each once")),
    }
}

/// `request_headers` or `response_headers`.
pub(super) fn header_modifier(modifier: &HeaderModifier) -> Value {
    let pairs = |pairs: &[NameValue]| -> Value {
        Value::Object(pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone().into())).collect())
    };
    json!({ "set": pairs(&modifier.set), "add": pairs(&modifier.add), "remove": modifier.remove })
}

/// `redirect`.
pub(super) fn redirect(redirect: &RequestRedirect) -> Value {
    object([
        ("scheme", redirect.scheme.as_deref().map(Value::from)),
        ("host", redirect.hostname.as_deref().map(Value::from)),
        ("port", redirect.port.map(Value::from)),
        ("path", redirect.path.as_ref().map(path)),
        ("status", redirect.status_code.map(Value::from)),
    ])
}

/// `path` of `forward` and `redirect`.
pub(super) fn path(modifier: &PathModifier) -> Value {
    match modifier {
        PathModifier::ReplaceFullPath { replace_full_path } => json!({ "replace": replace_full_path }),
        PathModifier::ReplacePrefixMatch { replace_prefix_match } => json!({ "replace_prefix": replace_prefix_match }),
    }
}

/// `cors`.
pub(super) fn cors(cors: &Cors) -> Value {
    object([
        ("allow_origins", Some(json!(cors.allow_origins))),
        ("allow_methods", cors.allow_methods.as_ref().map(|names| json!(names))),
        ("allow_headers", cors.allow_headers.as_ref().map(|names| json!(names))),
        ("expose_headers", cors.expose_headers.as_ref().map(|names| json!(names))),
        ("allow_credentials", cors.allow_credentials.map(Value::from)),
        ("max_age_seconds", cors.max_age.map(Value::from)),
    ])
}
