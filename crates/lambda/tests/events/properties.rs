//! Whatever arrives is answered: 106,000 payloads that nobody wrote.

use faregate_core::{path, problem::Code};
use faregate_lambda::event::{Decoded, HEADER_BYTES_MAX, decode};
use proptest::{
    collection::vec,
    prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest},
    sample::{Index, select},
};
use serde_json::{Map, Value};

use crate::files;

/// Names and values that make the decoder look further.
const WORDS: [&str; 52] = [
    "version",
    "2.0",
    "1.0",
    "rawPath",
    "rawQueryString",
    "cookies",
    "headers",
    "requestContext",
    "domainName",
    "stage",
    "$default",
    "http",
    "method",
    "sourceIp",
    "authorizer",
    "iam",
    "userArn",
    "body",
    "isBase64Encoded",
    "httpMethod",
    "path",
    "multiValueHeaders",
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "elb",
    "identity",
    "connectionId",
    "type",
    "host",
    "cookie",
    "content-length",
    "x-forwarded-for",
    "x-forwarded-proto",
    "GET",
    "CONNECT",
    "/a/b",
    "/live/a",
    "/..%2f",
    "/%",
    "a=1&b",
    "a b#",
    "YQ==",
    "YQ",
    "1",
    "a.example",
    "a@b:c",
    "192.0.2.1, ::1",
    "https",
    "é\u{20ac}",
    "x\r\ny: z",
    "\0",
    "",
];

/// Checks what must hold of every answer.
fn check(decoded: Decoded) {
    let request = match decoded.request {
        Ok(request) => request,
        Err(problem) => {
            assert!(matches!(problem.code, Code::RequestInvalid | Code::RequestHeadersTooLarge));
            assert!(!problem.cause.is_empty());
            return;
        }
    };
    let uri = request.uri();
    assert_eq!(path::normalise(uri.path()).as_deref(), Ok(uri.path()));
    assert!(matches!(uri.scheme_str(), None | Some("http" | "https")));
    assert_eq!(uri.scheme().is_some(), uri.authority().is_some());
    assert!(uri.authority().is_none_or(|authority| !authority.as_str().contains('@')));
    assert!(!["CONNECT", "TRACE"].contains(&request.method().as_str()));
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(bytes <= HEADER_BYTES_MAX);
    for length in request.headers().get_all("content-length") {
        assert_eq!(length.to_str().expect("digits").parse(), Ok(request.body().len()));
    }
}

/// Text of event-like words, often several on end.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(&WORDS[..]).prop_map(str::to_owned),
        1 => vec(select(&WORDS[..]), 0..4).prop_map(|words| words.concat()),
        1 => any::<String>(),
    ]
}

/// Any JSON, its names and texts event-like.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let list = vec(inner.clone(), 0..4).prop_map(Value::from);
        let object = vec((words(), inner), 0..8).prop_map(|members| Value::from(Map::from_iter(members)));
        prop_oneof![1 => list, 3 => object]
    })
}

/// The value at one of the places in `value`, counted in depth-first order.
fn place(value: &mut Value, mut number: usize) -> &mut Value {
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum(),
            _ => 0,
        }
    }
    number %= count(value);
    let mut here = value;
    while number > 0 {
        number -= 1;
        let children: Box<dyn Iterator<Item = &mut Value>> = match here {
            Value::Array(items) => Box::new(items.iter_mut()),
            Value::Object(members) => Box::new(members.values_mut()),
            _ => break,
        };
        let mut next = None;
        for child in children {
            let size = count(child);
            if number < size {
                next = Some(child);
                break;
            }
            number -= size;
        }
        here = next.expect("a number below the count has a place");
    }
    here
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(40_000))]

    #[test]
    fn any_bytes_are_answered(payload in vec(any::<u8>(), 0..64)) {
        check(decode(&payload));
    }
}

proptest! {
    #![proptest_config(config(12_000))]

    #[test]
    fn any_json_is_answered(value in values()) {
        check(decode(value.to_string().as_bytes()));
    }
}

#[test]
fn an_event_with_other_bytes_in_it_is_answered() {
    let events: Vec<_> = files::examples().iter().map(|path| files::bytes(path)).collect();
    proptest!(config(30_000), |(event in any::<Index>(), changes in vec((any::<Index>(), any::<u8>()), 1..4), end in any::<Index>())| {
        let mut payload = event.get(&events).clone();
        for (at, byte) in changes {
            *at.get_mut(&mut payload) = byte;
        }
        check(decode(&payload));
        check(decode(&payload[..end.index(payload.len())]));
    });
}

#[test]
fn an_event_with_other_values_in_it_is_answered() {
    let events: Vec<_> = files::examples().iter().map(|path| files::json(path)).collect();
    let leaf = prop_oneof![3 => words().prop_map(Value::from), 1 => Just(Value::Null), 1 => vec(words(), 0..3).prop_map(Value::from)];
    proptest!(config(100_000), |(event in any::<Index>(), changes in vec((any::<usize>(), leaf), 1..4))| {
        let mut value = event.get(&events).clone();
        for (number, other) in changes {
            *place(&mut value, number) = other;
        }
        check(decode(value.to_string().as_bytes()));
    });
}
