use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use aws_sdk_cloudwatch::{
    config::{Builder, http::HttpResponse},
    error::{ErrorMetadata, SdkError},
    operation::put_metric_data::PutMetricDataError,
    types::error::{InternalServiceFault, InvalidParameterValueException, MissingRequiredParameterException},
};
use faregate_core::time::Timestamp;
use faregate_engine::{
    fakes::FakeClock,
    metrics::Histogram,
    ports::{MetricSink, Series, SinkError},
};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{CloudWatchSink, sink_error};
use crate::{AwsConfig, Patience};

const NAMES: [&str; 12] = [
    "Requests",
    "Errors4xx",
    "Errors5xx",
    "Refused",
    "ColdStarts",
    "LeaseWrites",
    "EstimatedCost",
    "KeyItemsInvalid",
    "SnapshotRejected",
    "PublishRejected",
    "IssuerErrors",
    "MetricsDelayed",
];

/// Metrics of many routes, each with all sums and with values in all buckets, if at all.
fn series(histogram: Option<&Histogram>) -> Vec<Series> {
    let observed = ["Latency", "BackendLatency", "Overhead", "ConfigAge", "ClockSkew"];
    let values = observed.into_iter().filter_map(|name| Some((name, histogram?.clone())));
    let one = |number: u64| Series {
        minute: Timestamp::from_seconds(1_800_000_000),
        route: Some(format!("{number:064}").into()),
        sums: NAMES.into_iter().map(|name| (name, 0.123_456)).collect(),
        values: values.clone().collect::<BTreeMap<_, _>>(),
    };
    (0..100).map(one).collect()
}

/// What becomes of each call.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered(u16),
    CutOff,
}

/// A sink that does not compress, and how many bytes each of its calls had.
async fn sink(fate: Fate) -> (CloudWatchSink, Arc<Mutex<Vec<usize>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let calls = Arc::<Mutex<Vec<usize>>>::default();
    let seen = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            let service = service_fn(move |request: Request<Incoming>| {
                let seen = Arc::clone(&seen);
                async move {
                    assert!(!request.headers().contains_key("content-encoding"));
                    let body = request.into_body().collect().await.expect("a body").to_bytes();
                    seen.lock().expect("a lock").push(body.len());
                    let Fate::Answered(status) = fate else { return Err("cut off") };
                    let answer = Response::builder().status(status).header("smithy-protocol", "rpc-v2-cbor");
                    Ok(answer.body(Full::new(Bytes::new())).expect("an answer"))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let aws = AwsConfig::for_local_stack(&endpoint, Arc::new(FakeClock::default()), Patience::Background).await;
    (CloudWatchSink::of(Builder::from(aws.sdk()).disable_request_compression(true), "a gateway".to_owned()), calls)
}

#[tokio::test]
async fn a_call_has_a_thousand_metrics_and_a_megabyte_at_most() {
    let (sink, calls) = sink(Fate::Answered(200)).await;
    let mut full = Histogram::default();
    (0..4000).for_each(|number| full.observe(1e-3 * 1.01_f64.powi(number)));
    assert!(full.values().len() >= 140, "{}", full.values().len());
    let series = series(Some(&full));
    let mut rest = &series[..];
    while !rest.is_empty() {
        let fitting = sink.fits(rest);
        sink.put(&rest[..fitting]).await.expect("sent");
        rest = &rest[fitting..];
    }
    let calls = calls.lock().expect("a lock").clone();
    assert!(calls.iter().all(|bytes| *bytes <= 1_000_000), "{calls:?}");
    // The bound is not far above what is sent.
    assert!(calls[0] >= 600_000, "{calls:?}");
}

#[tokio::test]
async fn metrics_without_values_are_bounded_by_their_number() {
    let (sink, calls) = sink(Fate::Answered(200)).await;
    let series = series(None);
    assert_eq!(sink.fits(&series), 1000 / NAMES.len());
    assert_eq!(sink.fits(&series[..3]), 3);
    sink.put(&series[..3]).await.expect("sent");
    assert_eq!(calls.lock().expect("a lock").len(), 1);
}

/// AWS may have taken what it did not answer, and would count it again (SECURITY.md 16).
#[tokio::test]
async fn a_call_is_sent_once_whatever_becomes_of_it() {
    for fate in [Fate::Answered(500), Fate::Answered(503), Fate::Answered(429), Fate::CutOff] {
        let (sink, calls) = sink(fate).await;
        let put = sink.put(&series(None)[..1]).await;
        assert!(matches!(put, Err(SinkError::Unavailable(_))), "{fate:?}: {put:?}");
        assert_eq!(calls.lock().expect("a lock").len(), 1, "{fate:?}");
    }
}

#[test]
fn what_is_wrong_with_the_metrics_themselves_is_refused_for_good_and_nothing_else() {
    let unknown = |code: &str| PutMetricDataError::generic(ErrorMetadata::builder().code(code).build());
    let wrong = InvalidParameterValueException::builder().message("the timestamp is too old").build();
    let missing = MissingRequiredParameterException::builder().build();
    for (error, status, is_for_good) in [
        (PutMetricDataError::InvalidParameterValueException(wrong), 400, true),
        (PutMetricDataError::MissingRequiredParameterException(missing), 400, true),
        (unknown("RequestEntityTooLarge"), 413, true),
        (unknown("ThrottlingException"), 400, false),
        (unknown("AccessDenied"), 403, false),
        (unknown("ExpiredToken"), 403, false),
        (PutMetricDataError::InternalServiceFault(InternalServiceFault::builder().build()), 500, false),
    ] {
        let told = format!("{status} {error:?}");
        let response = HttpResponse::new(status.try_into().expect("a status"), "".into());
        let error = sink_error(&SdkError::service_error(error, response));
        assert_eq!(matches!(error, SinkError::Refused(_)), is_for_good, "{told}");
    }
}
