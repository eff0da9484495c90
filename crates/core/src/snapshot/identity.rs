//! What routes say of each other: headers that prove an identity are nobody else's, and names are not shared.

use std::collections::BTreeMap;

use http::HeaderName;
use url::Url;

use super::{Action, RoutePolicy, SettingsPolicy};
use crate::{
    diagnostic::{Report, codes},
    document::Kind,
    forwarding::IdentityHeaders,
    policy::authenticate::CredentialPolicy,
};

/// The headers that prove an identity on any of the routes, enabled or not; reports whatever else uses one of them.
pub(super) fn check<'a>(
    routes: impl Iterator<Item = &'a RoutePolicy> + Clone,
    settings: &SettingsPolicy,
    report: &mut Report,
) -> IdentityHeaders {
    let mut identity = IdentityHeaders::default();
    let of_edge = settings.edge.iter().flat_map(|edge| edge.headers());
    let credentials = routes.clone().flat_map(|route| &route.authenticate.credentials);
    for name in of_edge.chain(credentials.flat_map(CredentialPolicy::identity_headers)) {
        identity.insert(name);
    }
    let mut endpoints: BTreeMap<&str, (&Url, &HeaderName)> = BTreeMap::new();
    for route in routes {
        let mut place = report.entry(Kind::Route.as_str(), &route.id);
        for name in route.authenticate.credentials.iter().flat_map(CredentialPolicy::presented_headers) {
            if identity.contains(name) {
                let message = format!("`{name}` carries an identity: no client's own is ever looked at");
                place.at("authenticate").error(codes::CONFLICT, message);
            }
        }
        if let Action::Forward(forward) = &route.action {
            let of_backends = forward.backends.iter().flat_map(|backend| backend.request_headers.names());
            for name in forward.request_headers.names().chain(of_backends).filter(|name| identity.contains(name)) {
                let message = format!("`{name}` carries an identity: only a credential sets it");
                place.at("forward").at("request_headers").error(codes::CONFLICT, message);
            }
        }
        for credential in &route.authenticate.credentials {
            let CredentialPolicy::ForwardAuth(endpoint) = credential else { continue };
            let own = (&endpoint.url, &endpoint.consumer_header);
            if *endpoints.entry(&endpoint.id).or_insert(own) != own {
                let message = format!("another endpoint has the id `{}`, and they would share consumers", endpoint.id);
                place.at("authenticate").error(codes::DUPLICATE, message);
            }
        }
    }
    identity
}
