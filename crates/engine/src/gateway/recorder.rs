//! Phase *record*: exactly one record per request, whatever becomes of it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use faregate_core::{
    cost::{Machine, Prices, Used},
    policy::telemetry::AccessLogPolicy,
    problem::{Code, Problem},
};
use http::{Request, response::Parts};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tracing::{Span, debug_span};

use super::{
    Peer, Ports, Undecodable,
    access_log::{self, RefusedLines},
    caller::Caller,
    dressing::Dressing,
    edge::Client,
    limit::Bill,
    problems,
    snapshots::Loaded,
    trace::{trace_of, xray_root},
};
use crate::{
    body::{Body, BodyError},
    meter::{Meter, Reading},
    ports::{Clock, Random, Telemetry},
    record::{FORWARD, Phase, Record},
};

/// What all records of an environment share.
pub(super) struct Observer {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    telemetry: Arc<dyn Telemetry>,
    meter: Arc<Meter>,
    machine: Machine,
    refused_lines: RefusedLines,
}

impl Observer {
    pub(super) fn new(ports: &Ports, meter: Arc<Meter>) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            random: Arc::clone(&ports.random),
            telemetry: Arc::clone(&ports.telemetry),
            meter,
            machine: ports.machine,
            refused_lines: RefusedLines::default(),
        }
    }

    /// Charges time after an answer to the next record.
    pub(super) fn waited(&self, duration: Duration) {
        self.meter.side_work(duration);
    }
}

/// An open record; dropping it closes it.
pub(super) struct Recorder {
    pub(super) record: Record,
    /// The request's own span of `tracing`, which is open as long as the record is.
    pub(super) span: Span,
    observer: Arc<Observer>,
    /// The snapshot that decides, once there is one.
    loaded: Option<Arc<Loaded>>,
    /// Which counters are told the cost.
    bill: Bill,
    started: Duration,
    /// How long after that the answer's head was ready.
    head_after: Option<Duration>,
}

/// Where a record has the time that phases of one sort took together.
type Sum = fn(&mut Record) -> &mut Duration;

/// A phase that has not ended; dropping it ends it.
struct UnderWay<'a> {
    recorder: &'a mut Recorder,
    name: &'static str,
    sum: Sum,
    after: Duration,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Self { name, after, .. } = *self;
        let duration = self.recorder.elapsed().saturating_sub(after);
        let record = &mut self.recorder.record;
        record.phases.push(Phase { name, after, duration });
        *(self.sum)(record) += duration;
    }
}

impl Recorder {
    pub(super) fn open(observer: Arc<Observer>, cold_start: bool) -> Self {
        let record = Record { timestamp: observer.clock.now(), cold_start, ..Record::default() };
        let started = observer.clock.monotonic();
        Self { record, span: Span::none(), observer, loaded: None, bill: Bill::default(), started, head_after: None }
    }

    /// Notes what was asked.
    pub(super) fn decoded(
        &mut self,
        request: Result<Request<Bytes>, Undecodable>,
        peer: &Peer,
        dressing: &mut Dressing,
    ) -> Result<Request<Bytes>, Problem> {
        let headers = request.as_ref().ok().map(Request::headers);
        self.record.xray_trace_id = xray_root(peer.xray_trace.as_deref(), headers);
        let request = request.map_err(|undecodable| undecodable.problem)?;
        (self.record.trace_id, self.record.span) = trace_of(request.headers(), &*self.observer.random);
        self.span.record("trace_id", &*self.record.trace_id);
        self.record.method = request.method().to_string();
        self.record.path = request.uri().path().to_owned();
        dressing.request(request.headers());
        Ok(request)
    }

    /// Notes what decides.
    pub(super) fn loaded(&mut self, loaded: &Arc<Loaded>) {
        self.record.config_version = loaded.head.version;
        self.record.config_age = loaded.age(self.record.timestamp);
        self.loaded = Some(Arc::clone(loaded));
    }

    /// Notes what lines are to show of the request.
    pub(super) fn show(&mut self, parts: &http::request::Parts) {
        let Some(loaded) = &self.loaded else { return };
        let policy = &loaded.snapshot.settings.access_log;
        self.record.query = access_log::query(policy, parts);
        self.record.headers = access_log::headers(policy, parts);
    }

    /// Notes how long proving the caller takes.
    pub(super) async fn authenticated<T>(&mut self, check: impl Future<Output = T>) -> T {
        self.phase("authenticate", |record| &mut record.auth_duration, check).await
    }

    /// Notes how long taking permits takes.
    pub(super) async fn limited<T>(&mut self, admit: impl Future<Output = T>) -> T {
        self.phase("limit", |record| &mut record.limit_duration, admit).await
    }

    /// Notes how long a backend takes until its headers.
    pub(super) async fn forwarded<T>(&mut self, send: impl Future<Output = T>) -> T {
        self.phase(FORWARD, |record| &mut record.backend_duration, send).await
    }

    /// Notes that a phase takes time, and how much, even if it is given up before its end.
    async fn phase<T>(&mut self, name: &'static str, sum: Sum, work: impl Future<Output = T>) -> T {
        let after = self.elapsed();
        let _under_way = UnderWay { recorder: self, name, sum, after };
        work.await
    }

    /// Notes that the answer's head is ready: what comes now is its body.
    fn head_is_ready(&mut self) {
        self.head_after = Some(self.elapsed());
    }

    /// Notes who is to be told what the request cost.
    pub(super) fn bill(&mut self, bill: Bill) {
        self.bill = bill;
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

    /// What the request cost, with what was used since the record before it.
    fn charge(&mut self) {
        let Reading { lease_writes, writes, half_reads, metric_calls, log_bytes, side_work } =
            self.observer.meter.take();
        let (duration, body_bytes) = (self.record.duration + side_work, self.record.body_bytes);
        let used = Used { duration, writes, half_reads, log_bytes, body_bytes, metric_calls };
        let machine = self.observer.machine;
        self.record.lease_writes = lease_writes;
        self.record.cost_nanodollars = match &self.loaded {
            Some(loaded) => loaded.snapshot.settings.prices.of(&used, machine),
            None => Prices::default().of(&used, machine),
        };
        self.bill.charge(self.record.cost_nanodollars);
    }

    /// Time since the request came in.
    pub(super) fn elapsed(&self) -> Duration {
        self.observer.clock.monotonic().saturating_sub(self.started)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The body may be the host's, outside of the request's span.
        let _request = self.span.clone().entered();
        let _record = debug_span!("record").entered();
        self.record.duration = self.elapsed();
        if self.record.status == 0 {
            // No answer was made: a phase panicked, or the host gave the request up.
            let panicking = std::thread::panicking();
            self.record.status = Code::Internal.status();
            self.record.code = Some(Code::Internal);
            self.record.cause = Some(if panicking { "panic" } else { "dropped" }.to_owned());
        }
        let head = self.head_after.unwrap_or(self.record.duration);
        self.record.body_duration = self.record.duration.saturating_sub(head);
        self.record.overhead = head.saturating_sub(self.record.backend_duration);
        let default = AccessLogPolicy::default();
        let policy = self.loaded.as_ref().map_or(&default, |loaded| &loaded.snapshot.settings.access_log);
        let observer = &self.observer;
        let (now, random) = (observer.clock.now(), observer.random.next_u64());
        self.record.logged = access_log::is_logged(policy, &self.record, &observer.refused_lines, now, random);
        self.charge();
        self.observer.telemetry.record(&self.record);
    }
}

/// An answer's body that counts its bytes and closes the record when it ends, breaks or is dropped.
pub struct RecordedBody {
    inner: Body,
    recorder: Option<Recorder>,
}

impl RecordedBody {
    pub(super) fn new(inner: Body, mut recorder: Recorder) -> Self {
        recorder.head_is_ready();
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
