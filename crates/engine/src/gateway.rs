//! The request pipeline: one request in, one answer out, one record left.

mod access;
mod access_log;
mod answers;
mod authenticate;
mod authorise;
mod bounded;
mod caller;
mod deadline;
mod dressing;
mod edge;
mod fetch;
mod forward;
mod host;
mod key_cache;
mod limit;
mod miss_budget;
mod network;
mod problems;
mod recorder;
mod route;
mod side_work;
mod snapshots;
mod tokens;
mod trace;

pub use authorise::Clearance;
pub use caller::{Caller, Evidence, Proof};
pub use host::{Handled, Incoming, Peer, Ports, Undecodable};
pub use limit::Admission;
pub use recorder::RecordedBody;
pub use side_work::SideWork;
pub use snapshots::Loaded;
pub use tokens::{Refused, TokenPorts, TokenVerifier};

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use faregate_core::{
    forwarding::is_request_id,
    problem::{Code, Problem},
    snapshot::Action,
};
use futures_util::FutureExt;
use http::Response;
use tracing::{Instrument, debug_span};

use self::{
    authenticate::{Authenticator, Presented},
    deadline::Deadline,
    dressing::Dressing,
    limit::{Asked, Bill, Limits},
    recorder::{Observer, Recorder},
    snapshots::Snapshots,
};
use crate::{
    body::{self, Body},
    meter::Meter,
    metrics::{Counting, Metrics},
};

/// The gateway: state of one environment. Requests may run at once.
pub struct Gateway {
    ports: Ports,
    snapshots: Arc<Snapshots>,
    authenticator: Authenticator,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    observer: Arc<Observer>,
    answered: AtomicBool,
}

impl Gateway {
    /// A gateway that has loaded nothing yet.
    #[must_use]
    pub fn new(mut ports: Ports) -> Self {
        let meter = Arc::new(Meter::default());
        let (clock, telemetry) = (Arc::clone(&ports.clock), Arc::clone(&ports.telemetry));
        let metrics = Arc::new(Metrics::new(ports.sinks.clone(), clock, telemetry, Arc::clone(&meter)));
        // Whatever is told from here on is counted, too.
        ports.telemetry = Arc::new(Counting { inner: ports.telemetry, metrics: Arc::clone(&metrics) });
        let snapshots = Arc::new(Snapshots::new(&ports, &meter));
        let authenticator = Authenticator::new(&ports, &meter);
        let limits = Arc::new(Limits::new(&ports, &meter));
        let observer = Arc::new(Observer::new(&ports, meter));
        Self { ports, snapshots, authenticator, limits, metrics, observer, answered: AtomicBool::new(false) }
    }

    /// Loads the snapshot ahead of the first request, for at most `limit`; the first request tries again.
    pub async fn warm_up(&self, limit: Duration) {
        self.snapshots.warm_up(limit).await;
    }

    /// Gives back what the environment holds and sends its last metrics, before it ends; takes 300 ms at most.
    pub async fn leave(&self) {
        tokio::join!(self.limits.leave(), self.metrics.leave());
    }

    /// Notes how long the host waited after an answer, for side work: that is billed, too.
    pub fn waited(&self, duration: Duration) {
        self.observer.waited(duration);
    }

    /// Sends what telemetry has to send before the environment may freeze, once the answer has ended.
    pub async fn flush(&self) {
        self.ports.telemetry.flush().await;
    }

    /// Answers one request. Never fails: what goes wrong is an answer, too.
    pub async fn handle(&self, incoming: Incoming) -> Handled {
        let mut side_work = SideWork::default();
        let mut recorder = Recorder::open(Arc::clone(&self.observer), !self.answered.swap(true, Ordering::Relaxed));
        recorder.record.request_id = self.request_id(&incoming);
        let request_id = recorder.record.request_id.clone();
        // Open until the record closes, with a span for each phase below it.
        recorder.span = debug_span!("request", %request_id, trace_id = tracing::field::Empty);
        // A panic drops the recorder, which closes the record; the client gets a problem like any other.
        let mut dressing = Dressing::default();
        let span = recorder.span.clone();
        let answer = self.answer(incoming, recorder, &mut dressing, &mut side_work);
        let answered = AssertUnwindSafe(answer.instrument(span)).catch_unwind().await;
        let response = answered.unwrap_or_else(|_| {
            let problem = Problem::new(Code::Internal, "the gateway failed; the request may be tried again");
            let mut response = problems::answer(&problem, &request_id);
            dressing.apply(&mut response, &request_id);
            response.map(RecordedBody::unrecorded)
        });
        Handled { response, side_work }
    }

    /// Runs the phases, dresses the answer and hands the record to its body.
    async fn answer(
        &self,
        incoming: Incoming,
        mut recorder: Recorder,
        dressing: &mut Dressing,
        side_work: &mut SideWork,
    ) -> Response<RecordedBody> {
        let result = self.phases(incoming, &mut recorder, dressing, side_work).await;
        let mut response = result.unwrap_or_else(|problem| {
            // What is no request, or finds no snapshot, ends before the place where metrics leave otherwise.
            self.metrics.flush_beside(side_work);
            recorder.refuse(&problem);
            problems::answer(&problem, &recorder.record.request_id)
        });
        recorder.record.clock_skew = self.limits.clock_skew();
        dressing.apply(&mut response, &recorder.record.request_id);
        recorder.record.status = response.status().as_u16();
        response.map(|body| RecordedBody::new(body, recorder))
    }

    /// The life of a request, in order. The order is a contract (ARCHITECTURE.md) and has a test.
    async fn phases(
        &self,
        incoming: Incoming,
        recorder: &mut Recorder,
        dressing: &mut Dressing,
        side_work: &mut SideWork,
    ) -> Result<Response<Body>, Problem> {
        let deadline = Deadline::new(&*self.ports.clock, incoming.remaining);

        // 1. decode: the host did it; what could not be decoded is a problem with a record.
        let decoded = debug_span!("decode").in_scope(|| recorder.decoded(incoming.request, &incoming.peer, dressing));
        let (parts, content) = decoded?.into_parts();
        let loaded = self.snapshots.for_decision(deadline, side_work).instrument(debug_span!("snapshot")).await?;
        recorder.loaded(&loaded);
        dressing.version(&loaded);
        self.metrics.follow(loaded.snapshot.settings.metrics);
        recorder.show(&parts);

        // 2. edge: before anything that costs.
        let checked = edge::check(&loaded.snapshot, &parts, &incoming.peer, &*self.ports.secrets, deadline);
        let checked = checked.instrument(debug_span!("edge")).await;
        // Once in an interval, also beside a refusal: who is refused now may not be by a newer snapshot.
        self.snapshots.refresh_beside(side_work);
        self.metrics.flush_beside(side_work);
        let client = checked?;
        recorder.client(&client);

        // 3. match; a preflight ends here, because it carries no credentials.
        let found = debug_span!("match").in_scope(|| route::find(&loaded.snapshot, &parts, &client, dressing));
        let matched = match found? {
            route::Found::Route(matched) => matched,
            route::Found::Preflight(answer) => return Ok(answer.map(|()| body::empty())),
        };
        let route = matched.route;
        recorder.record.route = Some(Arc::clone(&route.id));

        // 4. access: what needs no IO.
        debug_span!("access").in_scope(|| access::check(route, &parts, &client, content.len()))?;

        // 5. authenticate: from headers without any client-sent copy of an identity header.
        let headers = access::clean_headers(&parts, &loaded.snapshot);
        let (peer, version) = (&incoming.peer, loaded.head.version);
        let presented = Presented { parts: &parts, headers: &headers, peer, client: &client, version };
        let checked = self.authenticator.check_within(deadline.left(), route, presented, side_work);
        let caller = recorder.authenticated(checked.instrument(debug_span!("authenticate"))).await?;
        recorder.caller(&caller);
        dressing.caller(&caller);

        // 6. authorise, 7. limit: forwarding needs what they yield.
        let clearance = debug_span!("authorise").in_scope(|| authorise::check(route, caller))?;
        let (snapshot, began) = (&loaded.snapshot, self.ports.clock.monotonic().saturating_sub(recorder.elapsed()));
        let asked = Asked { route, snapshot, method: &parts.method, headers: &headers, client: &client, began };
        let mut bill = Bill::default();
        let admitted = self.limits.admit(asked, clearance, &mut bill, dressing, side_work);
        let admitted = recorder.limited(admitted.instrument(debug_span!("limit"))).await;
        recorder.bill(bill);
        let admission = admitted?;

        // 8. transform and act.
        match &route.action {
            Action::Respond(respond) => Ok(debug_span!("respond").in_scope(|| answers::respond(respond))),
            Action::Redirect(redirect) => {
                debug_span!("redirect").in_scope(|| answers::redirect(redirect, &parts, &client, &matched))
            }
            Action::Forward(policy) => {
                let request = forward::Request { parts: &parts, headers, content, client: &client, matched: &matched };
                let forward = forward::Forward { policy, ports: &self.ports, snapshot: &loaded.snapshot };
                let sent = forward.send(request, &admission, deadline, recorder);
                sent.instrument(debug_span!("forward")).await
            }
        }
        // 9. record: closed by the answer's body, or by the recorder's drop.
    }

    /// The client's request id where it has the right shape, else a new one.
    fn request_id(&self, incoming: &Incoming) -> String {
        let sent = match &incoming.request {
            Ok(request) => request.headers().get("x-request-id"),
            Err(undecodable) => undecodable.request_id.as_ref(),
        };
        let kept = sent.filter(|value| is_request_id(value.as_bytes())).and_then(|value| value.to_str().ok());
        kept.map_or_else(|| trace::hex_id(&*self.ports.random, 2), str::to_owned)
    }
}
