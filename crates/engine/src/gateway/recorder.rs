//! Phase *record*: exactly one record per request, whatever becomes of it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use faregate_core::problem::{Code, Problem};
use http::{Request, response::Parts};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

use super::{Ports, caller::Caller, dressing::Dressing, edge::Client, problems, snapshots::Loaded};
use crate::{
    body::{Body, BodyError},
    ports::{Clock, Telemetry},
    record::Record,
};

/// An open record; dropping it closes it.
pub(super) struct Recorder {
    pub(super) record: Record,
    clock: Arc<dyn Clock>,
    telemetry: Arc<dyn Telemetry>,
    started: Duration,
}

impl Recorder {
    pub(super) fn open(ports: &Ports, cold_start: bool) -> Self {
        let record = Record { timestamp: ports.clock.now(), cold_start, ..Record::default() };
        let started = ports.clock.monotonic();
        Self { record, clock: Arc::clone(&ports.clock), telemetry: Arc::clone(&ports.telemetry), started }
    }

    /// Notes what was asked.
    pub(super) fn decoded(
        &mut self,
        request: Result<Request<Bytes>, Problem>,
        dressing: &mut Dressing,
    ) -> Result<Request<Bytes>, Problem> {
        let request = request?;
        self.record.method = request.method().to_string();
        self.record.path = request.uri().path().to_owned();
        dressing.request(request.headers());
        Ok(request)
    }

    /// Notes what decides.
    pub(super) fn loaded(&mut self, loaded: &Loaded) {
        self.record.config_version = loaded.head.version;
        self.record.config_age = loaded.age(self.record.timestamp);
    }

    /// Notes who asks.
    pub(super) fn client(&mut self, client: &Client) {
        self.record.host.clone_from(&client.host);
        self.record.address = client.address.map(|address| address.to_string());
    }

    /// Notes who calls.
    pub(super) fn caller(&mut self, caller: &Caller) {
        self.record.consumer = caller.consumer().map(str::to_owned);
        self.record.credential = caller.credential();
    }

    /// Notes why the gateway itself answers.
    pub(super) fn refuse(&mut self, problem: &Problem) {
        self.record.code = Some(problem.code);
        self.record.cause = Some(problem.cause.clone());
    }

    /// Time since the request came in.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.record.duration = self.elapsed();
        if self.record.status == 0 {
            // No answer was made: a phase panicked, or the host gave the request up.
            let panicking = std::thread::panicking();
            self.record.status = Code::Internal.status();
            self.record.code = Some(Code::Internal);
            self.record.cause = Some(if panicking { "panic" } else { "dropped" }.to_owned());
        }
        self.telemetry.record(&self.record);
    }
}

/// An answer's body that counts its bytes and closes the record when it ends, breaks or is dropped.
pub struct RecordedBody {
    inner: Body,
    recorder: Option<Recorder>,
}

impl RecordedBody {
    pub(super) fn new(inner: Body, recorder: Recorder) -> Self {
        let mut body = Self { inner, recorder: Some(recorder) };
        if body.inner.is_end_stream() {
            body.recorder = None;
        }
        body
    }

    /// All of the body, for hosts that answer in one piece. A body that breaks, or has more than `bytes_max`
    /// bytes, becomes a problem: `parts` are changed with it, since nothing was sent yet.
    pub async fn collect_into(mut self, parts: &mut Parts, bytes_max: usize) -> Bytes {
        let mut collected = BytesMut::new();
        let problem = loop {
            match self.inner.frame().await {
                None => {
                    if let Some(mut recorder) = self.recorder.take() {
                        recorder.record.body_bytes = collected.len() as u64;
                    }
                    return collected.freeze();
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if collected.len() + data.len() > bytes_max {
                        let detail = "the answer does not fit into one piece";
                        break Problem::new(Code::ResponseTooLarge, detail)
                            .caused_by(format!("over {bytes_max} bytes"));
                    }
                    collected.extend_from_slice(&data);
                }
                Some(Err(error)) => break problems::of_broken_body(&error),
            }
        };
        let mut recorder = self.recorder.take();
        problems::replace(parts, &problem, recorder.as_mut().map(|recorder| &mut recorder.record))
    }

    /// A body whose record is closed already.
    pub(super) fn unrecorded(inner: Body) -> Self {
        Self { inner, recorder: None }
    }
}

impl Drop for RecordedBody {
    fn drop(&mut self) {
        // Whoever took the answer went away before its end.
        if let Some(recorder) = &mut self.recorder {
            recorder.record.stream_error.get_or_insert_with(|| "abandoned".to_owned());
        }
    }
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match (&polled, &mut self.recorder) {
            (Poll::Ready(Some(Ok(frame))), Some(recorder)) => {
                recorder.record.body_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            (Poll::Ready(Some(Err(error))), Some(recorder)) => {
                recorder.record.stream_error = Some(error.cause().to_owned());
                recorder.record.cause = Some(error.to_string());
                self.recorder = None;
            }
            (Poll::Ready(None), Some(_)) => self.recorder = None,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
