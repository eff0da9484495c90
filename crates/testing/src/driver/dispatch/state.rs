//! The dispatcher's state: every change is a plain function, made under one lock.

use std::collections::{HashMap, VecDeque};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::driver::answer::AnswerStream;
use crate::driver::clock;
use crate::driver::environment::Environment;
use crate::driver::error::DriverError;
use crate::driver::extensions::ExtensionEvent;
use crate::driver::process::Command;
use crate::driver::record::{InvocationRecord, Outcome, Records};

/// Time that Lambda gives extensions to shut down.
const SHUTDOWN_TIME: Duration = Duration::from_secs(2);

/// Identifiers given so far, of all drivers of this process.
static IDS: AtomicU64 = AtomicU64::new(1);

type Reply = oneshot::Sender<Result<AnswerStream, DriverError>>;

/// What the user chose for all invocations.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Invocations that one environment may run at once.
    pub(crate) concurrency: usize,
    pub(crate) timeout: Duration,
    pub(crate) records_max: usize,
    pub(crate) function_arn: String,
}

/// An invocation that waits for an environment.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request_id: String,
    pub(crate) trace_id: String,
    pub(crate) event: Bytes,
    pub(crate) queued: Instant,
    pub(crate) reply: Reply,
}

/// What `/next` answers.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) request_id: String,
    pub(crate) trace_id: String,
    pub(crate) event: Bytes,
    pub(crate) deadline_ms: u64,
}

/// A `/next` that waits for an invocation.
#[derive(Debug)]
struct Slot {
    environment: usize,
    deliver: oneshot::Sender<Delivery>,
}

#[derive(Debug)]
struct InFlight {
    environment: usize,
    record: u64,
    deadline: Instant,
    /// Taken when the answer begins.
    reply: Option<Reply>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) rules: Rules,
    pub(crate) environments: Vec<Environment>,
    pub(crate) records: Records,
    pub(crate) closing: bool,
    /// The last one is chosen first.
    idle: Vec<Slot>,
    waiting: VecDeque<Job>,
    in_flight: HashMap<String, InFlight>,
}

impl State {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            environments: Vec::new(),
            records: Records::default(),
            closing: false,
            idle: Vec::new(),
            waiting: VecDeque::new(),
            in_flight: HashMap::new(),
        }
    }

    pub(crate) fn add_environment(&mut self, commands: mpsc::UnboundedSender<Command>) {
        self.environments.push(Environment::new(commands, clock::now()));
    }

    pub(crate) fn submit(&mut self, job: Job) {
        self.waiting.push_back(job);
        self.assign();
    }

    pub(crate) fn park(&mut self, index: usize) -> oneshot::Receiver<Delivery> {
        let (deliver, delivery) = oneshot::channel();
        let environment = &mut self.environments[index];
        if !environment.alive {
            // The last request of a process that is gone: the receiver sees a dropped sender.
            return delivery;
        }
        let now = clock::now();
        environment.polls += 1;
        environment.ready_after.get_or_insert_with(|| now - environment.started);
        if let Some(number) = environment.unfollowed.pop_front()
            && let Some(record) = self.records.get_mut(number)
        {
            record.next_asked = Some(now);
        }
        self.idle.retain(|slot| !slot.deliver.is_closed());
        self.idle.push(Slot { environment: index, deliver });
        self.assign();
        delivery
    }

    pub(crate) fn begin_answer(&mut self, environment: usize, request_id: &str, answer: AnswerStream) -> bool {
        let own = self.in_flight.get_mut(request_id).filter(|one| one.environment == environment);
        let Some((in_flight, reply)) = own.and_then(|one| one.reply.take().map(|reply| (one, reply))) else {
            return false;
        };
        if let Some(record) = self.records.get_mut(in_flight.record) {
            record.answer_started = Some(clock::now());
        }
        // Nobody need be waiting: the function is not told.
        let _ = reply.send(Ok(answer));
        true
    }

    pub(crate) fn finish(&mut self, request_id: &str, outcome: Outcome) {
        // It is gone already when the process ended or the deadline passed.
        let Some(in_flight) = self.in_flight.remove(request_id) else {
            return;
        };
        self.close_record(in_flight.record, outcome);
        let environment = &mut self.environments[in_flight.environment];
        environment.running -= 1;
        environment.unfollowed.push_back(in_flight.record);
        self.assign();
    }

    pub(crate) fn exited(&mut self, index: usize, status: Option<ExitStatus>, ended: bool) {
        self.idle.retain(|slot| slot.environment != index);
        let environment = &mut self.environments[index];
        environment.exited(status);
        environment.ended = ended;
        let text = status.map_or_else(|| "unknown status".to_owned(), |status| status.to_string());
        for in_flight in self.remove_in_flight(|one| one.environment == index) {
            self.close_record(in_flight.record, Outcome::Exited);
            if let Some(reply) = in_flight.reply {
                let _ = reply.send(Err(DriverError::Exited { status: text.clone() }));
            }
        }
        self.assign();
    }

    /// Gives up the invocations whose deadline is not after `now`, and kills their processes.
    pub(crate) fn expire(&mut self, now: Instant) {
        for in_flight in self.remove_in_flight(|one| one.deadline <= now) {
            self.close_record(in_flight.record, Outcome::TimedOut);
            let environment = &mut self.environments[in_flight.environment];
            environment.running -= 1;
            let _ = environment.commands.send(Command::Kill);
            // Nothing more is to be had from a process that is about to end.
            self.idle.retain(|slot| slot.environment != in_flight.environment);
            if let Some(reply) = in_flight.reply {
                let _ = reply.send(Err(DriverError::TimedOut(self.rules.timeout)));
            }
        }
    }

    pub(crate) fn earliest_deadline(&self) -> Option<Instant> {
        self.in_flight.values().map(|in_flight| in_flight.deadline).min()
    }

    pub(crate) fn close(&mut self) {
        self.closing = true;
        let deadline_ms = clock::milliseconds(clock::since_epoch() + SHUTDOWN_TIME);
        let event = ExtensionEvent::Shutdown { deadline_ms, shutdown_reason: "spindown" };
        for environment in &mut self.environments {
            environment.extensions.publish(&event);
        }
        self.assign();
    }

    /// Whether nothing waits or runs, and each living environment has asked for more.
    pub(crate) fn is_idle(&self) -> bool {
        let asked = |index| self.idle.iter().any(|slot| slot.environment == index);
        let mut environments = self.environments.iter().enumerate();
        self.waiting.is_empty()
            && self.in_flight.is_empty()
            && environments.all(|(index, one)| one.ended || (asked(index) && one.unfollowed.is_empty()))
    }

    /// Hands waiting invocations to idle environments, as many as possible.
    fn assign(&mut self) {
        if self.closing || self.environments.iter().all(|environment| environment.ended) {
            for job in self.waiting.drain(..) {
                let _ = job.reply.send(Err(DriverError::NoEnvironment));
            }
            return;
        }
        while let Some(job) = self.waiting.pop_front() {
            if job.reply.is_closed() {
                continue;
            }
            let Some(slot) = self.take_slot() else {
                self.waiting.push_front(job);
                return;
            };
            self.deliver(slot, job);
        }
    }

    /// The slot that was added last, of an environment that may run one invocation more.
    fn take_slot(&mut self) -> Option<Slot> {
        let usable = |slot: &Slot| {
            let running = self.environments[slot.environment].running;
            running < self.rules.concurrency && !slot.deliver.is_closed()
        };
        let found = self.idle.iter().rposition(usable)?;
        Some(self.idle.remove(found))
    }

    fn deliver(&mut self, slot: Slot, job: Job) {
        let Job { request_id, trace_id, event, queued, reply } = job;
        let deadline_ms = clock::milliseconds(clock::since_epoch() + self.rules.timeout);
        let delivery = Delivery { request_id, trace_id, event, deadline_ms };
        let (request_id, index) = (delivery.request_id.clone(), slot.environment);
        if let Err(Delivery { request_id, trace_id, event, .. }) = slot.deliver.send(delivery) {
            // The poll was given up this moment.
            self.waiting.push_front(Job { request_id, trace_id, event, queued, reply });
            return;
        }
        let now = clock::now();
        let environment = &mut self.environments[index];
        environment.running += 1;
        environment.extensions.publish(&ExtensionEvent::Invoke {
            deadline_ms,
            request_id: request_id.clone(),
            invoked_function_arn: self.rules.function_arn.clone(),
        });
        let record = InvocationRecord {
            request_id: request_id.clone(),
            environment: index,
            queued,
            dispatched: now,
            answer_started: None,
            answer_ended: None,
            next_asked: None,
            outcome: None,
        };
        let record = self.records.push(record, self.rules.records_max);
        let deadline = now + self.rules.timeout;
        let in_flight = InFlight { environment: index, record, deadline, reply: Some(reply) };
        self.in_flight.insert(request_id, in_flight);
    }

    fn remove_in_flight(&mut self, lost: impl Fn(&InFlight) -> bool) -> Vec<InFlight> {
        self.in_flight.extract_if(|_, one| lost(one)).map(|(_, one)| one).collect()
    }

    fn close_record(&mut self, number: u64, outcome: Outcome) {
        if let Some(record) = self.records.get_mut(number) {
            record.answer_ended = Some(clock::now());
            record.outcome = Some(outcome);
        }
    }
}

/// An identifier in the form of Lambda's own.
pub(crate) fn new_id() -> String {
    let number = IDS.fetch_add(1, Ordering::Relaxed);
    format!("{:08x}-0000-4000-8000-{number:012x}", std::process::id())
}
