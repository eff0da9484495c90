//! Whatever arrives is answered: 270,000 payloads that nobody wrote.

use faregate_core::{path, problem::Code};
use faregate_lambda::event::{Decoded, HEADER_BYTES_MAX, decode};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, Strategy, any, proptest},
    sample::Index,
};

use crate::{files, made_up};

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

/// What JSON is made up of.
fn numbers(below: usize) -> impl Strategy<Value = Vec<u64>> {
    vec(any::<u64>(), 1..below)
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
    #![proptest_config(config(100_000))]

    #[test]
    fn any_json_is_answered(value in numbers(24).prop_map(|numbers| made_up::value(&mut numbers.into_iter()))) {
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
    let changed = (any::<Index>(), numbers(16))
        .prop_map(move |(event, numbers)| made_up::changed(event.get(&events), &mut numbers.into_iter()));
    proptest!(config(100_000), |(value in changed)| check(decode(value.to_string().as_bytes())));
}
