//! The explanation for people.

use serde_json::Value;

use super::{
    access::{AccessVerdict, AccessView},
    action::ActionView,
    authenticate::{AuthenticateVerdict, AuthenticateView, CredentialView},
    edge::{EdgeVerdict, EdgeView},
    key::{KeyVerdict, Verdict},
    origin::OriginVerdict,
    others::{Missed, Other},
    rules::RuleVerdict,
    token::{TokenOutcome, TokenVerdict},
    verdict::{Explanation, Outcome, RouteView},
};
use crate::output::{Answer, Lines};

impl Answer for Explanation {
    fn say(&self, lines: &mut Lines) {
        let request = &self.request;
        let path = request.path.as_deref().unwrap_or("?");
        let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let asked = self.version.map(|version| format!("  (version {version})")).unwrap_or_default();
        lines.add(format!("{} {}{path}{query}{asked}", request.method, request.host));
        lines.add(self.verdict());
        if let Some(edge) = &self.edge {
            lines.add(format!("edge:         {}", edge_text(edge)));
        }
        if let Some(headers) = &self.preflight {
            for (name, value) in headers {
                lines.add(format!("  {name}: {value}"));
            }
        } else if let Some(route) = self.route.as_ref().filter(|_| self.outcome == Outcome::Route) {
            say_route(route, lines);
        }
        if let Some(key) = &self.key {
            lines.add(format!("key:          {}", key_text(key)));
            say_rules(&key.rules, lines);
        }
        for token in &self.tokens {
            lines.add(format!("token:        {}", token_text(token)));
            say_rules(&token.rules, lines);
        }
        if !self.others.is_empty() {
            lines.add("not chosen, the nearest first:");
        }
        for other in &self.others {
            lines.add(format!("  {}[{}]: {}", other.route, other.entry, reason(other)));
        }
        if self.others.len() < self.others_total {
            lines.add(format!("  … and {} more (--all)", self.others_total - self.others.len()));
        }
    }
}

impl Explanation {
    fn verdict(&self) -> String {
        let cause = self.cause.as_deref().unwrap_or_default();
        let route = self.route.as_ref().map(|route| route.id.as_str()).unwrap_or_default();
        match self.outcome {
            Outcome::Route => format!("route {route}"),
            Outcome::Preflight => format!("204: a preflight, answered for route {route}"),
            Outcome::MethodNotAllowed => format!("405 method_not_allowed; allow: {}", self.allow.join(", ")),
            Outcome::RouteNotFound => "404 route_not_found".to_owned(),
            Outcome::RequestInvalid => format!("400 request_invalid: {cause}"),
            Outcome::RequestHeadersTooLarge => format!("431 request_headers_too_large: {cause}"),
        }
    }
}

fn say_route(route: &RouteView, lines: &mut Lines) {
    let matched = if route.matched.is_null() { "any request".to_owned() } else { route.matched.to_string() };
    lines.add(format!("match[{}]:     {matched}", route.entry));
    for (name, value) in &route.captures {
        lines.add(format!("captured:     {name} = {value}"));
    }
    lines.add(format!("access:       {}", access(&route.access)));
    lines.add(format!("authenticate: {}", authenticate(&route.authenticate)));
    for rule in &route.authorize {
        lines.add(format!("authorize:    {rule}"));
    }
    lines.add(format!(
        "limits:       {}",
        route.limits.as_ref().map_or("those of the caller's plan".to_owned(), Value::to_string)
    ));
    lines.add(format!("cors:         {}", cors(route)));
    match &route.action {
        ActionView::Respond { status } => lines.add(format!("respond:      {status}")),
        ActionView::Redirect { status, location } => lines.add(format!("redirect:     {status} to {location}")),
        ActionView::RequestInvalid { cause } => lines.add(format!("rewritten:    400 request_invalid: {cause}")),
        ActionView::Forward { path, backends } => {
            lines.add(format!("forward:      {path}"));
            for backend in backends {
                for target in &backend.targets {
                    let (id, weight) = (&backend.id, backend.weight);
                    lines.add(format!("  {id} (weight {weight}): {} with host {}", target.url, target.host));
                }
            }
        }
    }
}

fn edge_text(edge: &EdgeView) -> String {
    let header = &edge.header;
    match edge.verdict {
        EdgeVerdict::Passed => "passed; its headers say host and address".to_owned(),
        EdgeVerdict::AccessDenied => {
            let present = if edge.present { "present" } else { "absent" };
            let cause = edge.cause.as_deref().unwrap_or_default();
            format!("403 access_denied: {cause} (header {header} is {present}); what follows is for one that passes")
        }
        EdgeVerdict::DependsOnSecret => {
            format!("depends on the secret in SSM, which is not read (header {header} is present)")
        }
    }
}

fn access(view: &AccessView) -> String {
    let verdict = match view.verdict {
        AccessVerdict::Allowed => "allowed",
        AccessVerdict::AccessDenied => "403 access_denied",
        AccessVerdict::DependsOnAddress => "depends on the client's address (--address)",
        AccessVerdict::LoopDetected => "508 loop_detected",
    };
    let cause = view.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
    let rules = view.rules.as_ref().map(|rules| format!("; {rules}")).unwrap_or_default();
    format!("{verdict}{cause}{rules}")
}

fn cors(route: &RouteView) -> String {
    let verdict = match route.origin.as_ref().map(|origin| origin.verdict) {
        Some(OriginVerdict::Allowed) => "the origin is allowed; ",
        Some(OriginVerdict::NotAllowed) => "the origin is not allowed; ",
        None => "",
    };
    format!("{verdict}{}", route.cors.as_ref().map_or("none".to_owned(), Value::to_string))
}

fn authenticate(view: &AuthenticateView) -> String {
    let verdict = match view.verdict {
        AuthenticateVerdict::CredentialsMissing => "401 credentials_missing: ",
        AuthenticateVerdict::Anonymous | AuthenticateVerdict::DependsOnCredentials => "",
    };
    let mut ways: Vec<String> = view.credentials.iter().map(credential).collect();
    if view.anonymous {
        ways.push("anonymous".to_owned());
    }
    format!("{verdict}{}", ways.join(if view.all_needed { ", and " } else { ", or " }))
}

fn credential(view: &CredentialView) -> String {
    let CredentialView { kind, header, scheme, query, issuers, endpoint, present, on_input } = view;
    let scheme = if scheme.is_empty() { String::new() } else { format!(" with scheme {scheme}") };
    let header = header.as_ref().map(|header| format!("header {header}{scheme}"));
    let query = query.as_ref().map(|query| format!("parameter {query}"));
    let places: Vec<String> = header.into_iter().chain(query).collect();
    let present = match (on_input, present) {
        (true, _) => "on standard input",
        (false, true) => "present, not looked at",
        (false, false) => "not present",
    };
    let place = if places.is_empty() { String::new() } else { format!(" in {}", places.join(" or ")) };
    let issuers = if issuers.is_empty() { String::new() } else { format!(" of {}", issuers.join(" or ")) };
    let endpoint = endpoint.as_ref().map(|endpoint| format!(" by {endpoint}")).unwrap_or_default();
    format!("{kind}{issuers}{endpoint}{place} ({present})")
}

fn key_text(key: &KeyVerdict) -> String {
    let hash = &key.hash;
    let consumer = key.consumer.as_deref().unwrap_or("?");
    match key.verdict {
        Verdict::Good => format!("good; {hash} proves {consumer}"),
        Verdict::NotTaken => "not looked at: the route takes no API key".to_owned(),
        Verdict::ReadAsToken => "not looked at as a key: in its place, three parts of base64url are a token".to_owned(),
        Verdict::Mistyped => "401 credentials_invalid: mistyped, its checksum does not fit".to_owned(),
        Verdict::Unknown => format!("401 credentials_invalid: no key has the hash {hash}"),
        Verdict::Invalid => {
            format!("401 credentials_invalid: {hash}: {}", key.cause.as_deref().unwrap_or_default())
        }
        Verdict::Disabled => format!("401 credentials_invalid: {hash} of {consumer} is disabled"),
        Verdict::Expired => format!("401 credentials_invalid: {hash} of {consumer} has expired"),
        Verdict::NotForThisRoute => format!("403 access_denied: {hash} of {consumer} is not for this route"),
        Verdict::NoPlan => {
            format!("403 access_denied: {hash} of {consumer}: {}", key.cause.as_deref().unwrap_or_default())
        }
    }
}

fn token_text(token: &TokenVerdict) -> String {
    let cause = token.cause.as_deref().unwrap_or_default();
    let issuer = token.issuer.as_deref().unwrap_or("?");
    match token.verdict {
        TokenOutcome::Good => {
            let scopes = if token.scopes.is_empty() { "none".to_owned() } else { token.scopes.join(" ") };
            let consumer = token.consumer.as_deref().unwrap_or("?");
            format!("good; issuer {issuer} proves {consumer}; scopes {scopes}")
        }
        TokenOutcome::NoPlan => {
            format!("403 access_denied: {}: {cause}", token.consumer.as_deref().unwrap_or("?"))
        }
        TokenOutcome::Invalid => format!("401 credentials_invalid: {cause}"),
        TokenOutcome::Unavailable => format!("503 dependency_unavailable: {cause}"),
    }
}

fn say_rules(rules: &[RuleVerdict], lines: &mut Lines) {
    for RuleVerdict { rule, holds } in rules {
        lines.add(format!("  {rule}: {}", if *holds { "holds" } else { "403 permission_denied" }));
    }
}

fn reason(other: &Other) -> String {
    let asks = other.asks.as_ref().map_or("any".to_owned(), Value::to_string);
    match other.missed {
        Missed::Rank => "fits, too, but ranks below".to_owned(),
        Missed::Method => format!("the method is none of {asks}"),
        Missed::Query => format!("the query does not fit {asks}"),
        Missed::Header => format!("a header does not fit {asks}"),
        Missed::Path => format!("the path does not fit {asks}"),
        Missed::Host => format!("the host is none of {asks}"),
    }
}
