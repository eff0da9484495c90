//! A listener port of a gateway, with the routes on it, as a document.
//!
//! What has no counterpart is not left out but makes the whole port not applicable, for a reason.

mod action;
mod filters;
mod matching;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    backends::Backends,
    hosts::{Hosts, on_listener},
    model::{Listener, ListenerRef, OtherObject, Route, Rule, Suite},
};

/// Why something cannot be said in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotApplicable(pub(crate) String);

impl NotApplicable {
    fn because(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

/// A listener and what it belongs to.
struct Owned<'a> {
    kind: &'static str,
    owner: &'a str,
    listener: &'a Listener,
}

/// The document for a port of a gateway.
pub(crate) fn document(suite: &Suite, gateway: &str, port: u16, servers: &Backends) -> Result<Value, NotApplicable> {
    let listeners: Vec<Owned<'_>> =
        listeners(suite, gateway).into_iter().filter(|owned| owned.listener.port == port).collect();
    let mut backends = action::BackendEntries::default();
    let mut routes = Vec::new();
    for (number, route) in suite.routes.iter().enumerate() {
        let hosts = hosts_of(route, &listeners);
        for (rule_number, rule) in route.rules.iter().enumerate().filter(|_| !hosts.is_empty()) {
            // Ids sort as routes were created and rules written, which decides ties.
            let id = format!("r{number:03}-{rule_number:03}");
            let fields = rule_fields(rule, &route.name, &mut backends)?;
            routes.extend(with_hosts(&id, &fields, &hosts));
        }
    }
    routes.extend(listeners.iter().enumerate().filter_map(|(number, owned)| catch_all(number, owned.listener)));
    Ok(json!({ "backends": backends.written(servers), "routes": routes }))
}

/// The protocol of the listener that a request to this port meets.
pub(crate) fn protocol<'a>(suite: &'a Suite, gateway: &str, port: u16) -> Option<&'a str> {
    let listeners = listeners(suite, gateway);
    listeners.into_iter().find(|owned| owned.listener.port == port).map(|owned| &*owned.listener.protocol)
}

/// The listeners of a gateway, those of its listener sets among them.
fn listeners<'a>(suite: &'a Suite, gateway: &str) -> Vec<Owned<'a>> {
    let mut listeners = Vec::new();
    for own in suite.gateways.iter().filter(|own| own.name == gateway) {
        let owned = own.listeners.iter().map(|listener| Owned { kind: "Gateway", owner: &own.name, listener });
        listeners.extend(owned);
    }
    for object in &suite.other_objects {
        if let OtherObject::ListenerSet { metadata, spec } = object
            && spec.parent_ref.name == gateway
        {
            let owner = &metadata.name;
            listeners.extend(spec.listeners.iter().map(|listener| Owned { kind: "ListenerSet", owner, listener }));
        }
    }
    listeners
}

/// The hosts of a route over all the listeners that it is attached to.
fn hosts_of(route: &Route, listeners: &[Owned<'_>]) -> BTreeSet<Hosts> {
    let all: Vec<Hosts> = listeners.iter().map(|owned| Hosts::parse(owned.listener.hostname.as_deref())).collect();
    let attached =
        listeners.iter().zip(&all).filter(|(owned, _)| route.parent_refs.iter().any(|parent| owned.is(parent)));
    attached.flat_map(|(_, listener)| on_listener(&route.hostnames, listener, &all)).collect()
}

impl Owned<'_> {
    fn is(&self, parent: &ListenerRef) -> bool {
        parent.kind == self.kind
            && parent.name == self.owner
            && parent.section_name.as_ref().is_none_or(|name| *name == self.listener.name)
            && parent.port.is_none_or(|port| port == self.listener.port)
    }
}

/// What a rule matches and does, without its hosts.
fn rule_fields(
    rule: &Rule,
    name: &str,
    backends: &mut action::BackendEntries,
) -> Result<Map<String, Value>, NotApplicable> {
    let mut fields = Map::new();
    fields.insert("description".to_owned(), name.into());
    fields.insert("authenticate".to_owned(), "anonymous".into());
    fields.extend(matching::entries(&rule.matches).map(|entries| ("match".to_owned(), entries)));
    fields.extend(action::fields(rule, backends)?);
    Ok(fields)
}

/// The route under its hosts; twice where any host is among them, since a list of hosts cannot say so and
/// what stands under a named host goes first.
fn with_hosts(id: &str, fields: &Map<String, Value>, hosts: &BTreeSet<Hosts>) -> Vec<Value> {
    let named: Vec<String> = hosts.iter().filter_map(Hosts::written).collect();
    let mut routes = Vec::new();
    if !named.is_empty() {
        let mut route = fields.clone();
        route.insert("id".to_owned(), id.into());
        route.insert("hosts".to_owned(), named.into());
        routes.push(Value::Object(route));
    }
    if hosts.contains(&Hosts::Any) {
        let mut route = fields.clone();
        route.insert("id".to_owned(), format!("{id}-any").into());
        routes.push(Value::Object(route));
    }
    routes
}

/// What a listener with a hostname answers where none of its routes matches: no other listener gets the request.
fn catch_all(number: usize, listener: &Listener) -> Option<Value> {
    let hostname = listener.hostname.as_ref()?;
    let id = format!("z{number:03}");
    Some(json!({ "id": id, "hosts": [hostname], "authenticate": "anonymous", "respond": { "status": 404 } }))
}

/// A map of strings that are there.
fn object(members: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<BTreeMap<_, _>>().into_iter().collect())
}
