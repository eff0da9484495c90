//! The backend that answers with what it got.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::{BackendBody, full};
use crate::support::seen::Seen;

/// Asks for headers of the answer.
const SET_HEADER: &str = "x-echo-set-header";

/// Answers as the request asks.
pub(super) async fn answer(seen: Seen) -> Response<BackendBody> {
    if let Some(delay) = seen.parameter("delay").and_then(duration) {
        // The slow backend of a test, not a test that waits for something.
        tokio::time::sleep(delay).await;
    }
    let json = serde_json::to_vec(&seen).unwrap_or_default();
    let mut response = Response::new(full(json));
    let status = seen.parameter("status").and_then(|status| status.parse::<StatusCode>().ok());
    *response.status_mut() = status.unwrap_or_default();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in seen.values(SET_HEADER).into_iter().flat_map(wanted_headers) {
        response.headers_mut().append(name, value);
    }
    response
}

/// `1s`, `1.5s` or `200ms`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()
}

fn wanted_headers(list: &str) -> Vec<(HeaderName, HeaderValue)> {
    let pairs = list.split(',').filter_map(|pair| pair.split_once(':'));
    pairs.filter_map(|(name, value)| Some((name.trim().parse().ok()?, value.trim().parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn a_delay_is_in_seconds_or_milliseconds() {
        for (text, expected) in [("1s", Some(1000)), ("1.5s", Some(1500)), ("200ms", Some(200)), ("1", None)] {
            assert_eq!(duration(text), expected.map(Duration::from_millis), "{text}");
        }
    }
}
