//! A client machine and a server machine, back to back in virtual time: bytes go from one to the other
//! through memory, and the test decides what arrives.

use crate::machine::Machine;
use dubhook_core::{
    client::{
        self, Client, Config, Drive, Exchange, Failure, Input, Output, Server, Timings, Update,
        Webhook,
    },
    http::{BodyUse, Limits, RecvBuf, ResponseParser},
    id::Id,
    log::AttemptError,
    out::Out,
    service::{Attempt, AttemptResult},
    signature::Secret,
};

/// A client that is set up for a server, and that server.
#[derive(Debug)]
pub struct Pair {
    /// The server.
    pub machine: Machine,
    /// The client.
    pub client: Client<'static>,
    /// What the client learned, each in a few words.
    pub log: Vec<String>,
    /// The first line of every request that the client sent, and the status of its answer; 0 where the
    /// server was away.
    pub asked: Vec<(String, u16)>,
    /// Whether the server can be reached.
    pub reachable: bool,
}

impl Pair {
    /// A client that wants to be told everything, and a server that keeps nothing.
    ///
    /// # Panics
    ///
    /// If the set-up is wrong.
    #[must_use]
    pub fn new(seed: u8) -> Self {
        let memory: &'static mut _ = Box::leak(Box::new(client::ClientStorage::<8>::new()));
        let server = Server::parse("http://127.0.0.1:8000").expect("a URL");
        let mut webhook = Webhook::new("http://127.0.0.1:3120/webhook").expect("a URL");
        webhook.secret = Some(Secret::from_random([seed; 32]));
        let config = Config {
            everything: true,
            http: Limits::SERVER,
            timings: Timings::STANDARD,
            ..Config::new(server, Some(webhook))
        };
        Self {
            machine: Machine::volatile(seed),
            client: Client::new(memory.lend(), config, [seed; 32]),
            log: Vec::new(),
            asked: Vec::new(),
            reachable: true,
        }
    }

    /// Makes all exchanges that the client wants to make now.
    ///
    /// # Panics
    ///
    /// If a machine breaks its contract.
    pub fn exchange(&mut self) {
        let mut memory = [0; 2_048];
        loop {
            let mut out = Out::new(&mut memory);
            let polled = self.client.poll(self.machine.now, &mut out);
            let exchange = match polled.expect("room for a request") {
                Output::Send(exchange) => exchange,
                Output::Abandon { update, .. } => {
                    self.log.push(show(update));
                    continue;
                }
                Output::Sleep(_) | Output::Closed => return,
            };
            let request = out.written().to_vec();
            let line = request.split(|byte| *byte == b'\r').next().unwrap_or(&[]);
            let line = String::from_utf8_lossy(line).into_owned();
            let line = line.trim_end_matches(" HTTP/1.1").to_owned();
            let status = if self.reachable {
                self.answer(exchange, &request)
            } else {
                let now = self.machine.now;
                let input = Input::Failure {
                    id: exchange.id,
                    failure: Failure::Unreachable,
                };
                let update = self.client.handle(now, input).expect("it is under way");
                self.log.extend(update.map(show));
                0
            };
            self.asked.push((line, status));
        }
    }

    fn answer(&mut self, exchange: Exchange, request: &[u8]) -> u16 {
        let mut answer = self.machine.exchange(request).into_bytes();
        let len = answer.len();
        let mut input = RecvBuf::new(&mut answer, len);
        let mut parser = ResponseParser::new(exchange.call.method(), BodyUse::Keep);
        let _ = parser
            .advance(&Limits::SERVER, &mut input)
            .expect("a good answer");
        let response = parser.response(input.filled()).expect("a whole answer");
        let now = self.machine.now;
        let input = Input::Answer {
            id: exchange.id,
            response: &response,
        };
        let update = self.client.handle(now, input).expect("it is under way");
        self.log.extend(update.map(show));
        response.status
    }

    /// All deliveries that the server wants to make now: they are under way, and arrive when the test
    /// says so.
    pub fn take_deliveries(&mut self) -> Vec<(Attempt, String)> {
        std::iter::from_fn(|| self.machine.attempt()).collect()
    }

    /// Lets a delivery arrive, and its answer come back. Returns the answer's status.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    pub fn deliver(&mut self, (attempt, request): &(Attempt, String)) -> u16 {
        let status = self.arrive(request);
        self.machine.settle(attempt, status);
        status
    }

    /// Lets bytes arrive at the client's receiver. Returns the answer's status.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    pub fn arrive(&mut self, request: &str) -> u16 {
        let now = self.machine.now;
        let mut receiver = self.client.accept(now);
        let mut received = request.as_bytes().to_vec();
        let len = received.len();
        let mut input = RecvBuf::new(&mut received, len);
        let mut answer = [0; client::ANSWER_BYTES_MAX];
        let mut out = Out::new(&mut answer);
        match self.client.drive(now, &mut receiver, &mut input, &mut out) {
            Ok(Drive::Answered { answer, update }) => {
                self.log.extend(update.map(show));
                answer.status()
            }
            other => panic!("no answer, but {other:?}"),
        }
    }

    /// Loses a delivery: the server sees the connection break.
    pub fn lose(&mut self, (attempt, _): &(Attempt, String)) {
        let failed = AttemptResult::Failed(AttemptError::Closed);
        self.machine.settle_as(attempt, failed);
    }

    /// Lets everything happen that can happen now.
    pub fn settle(&mut self) {
        loop {
            self.exchange();
            let deliveries = self.take_deliveries();
            if deliveries.is_empty() {
                return;
            }
            for delivery in &deliveries {
                self.deliver(delivery);
            }
        }
    }

    /// Lets time pass; what the client wants to ask on the way is asked. Deliveries stay under way.
    pub fn advance_ms(&mut self, ms: u64) {
        let end = self.machine.now.instant.after_ms(ms);
        loop {
            self.exchange();
            let now = self.machine.now.instant;
            let due = self.client.deadline().map(|deadline| deadline.at);
            match due.filter(|due| *due <= end) {
                Some(due) => {
                    self.machine.advance_ms(due.ms_since(now));
                }
                None => {
                    self.machine.advance_ms(end.ms_since(now));
                    return;
                }
            }
        }
    }

    /// Submits a translation at the server, as somebody else would. Returns its job.
    ///
    /// # Panics
    ///
    /// If it is not accepted.
    pub fn submit(&mut self) -> Id {
        let body = r#"{"video_url":"file:///v.mp4","target_language":"es"}"#;
        let (status, _) = self.machine.call("POST", "/v1/translations", body);
        assert_eq!(status, 202);
        let service = self.machine.server.service();
        let newest = service.newest_job().and_then(|ix| service.job(ix));
        newest.expect("the job").id()
    }

    /// What the client learned since the last time, in a few words each.
    pub fn learned(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }
}

/// An update in a few words.
fn show(update: Update<'_>) -> String {
    match update {
        Update::Job(news) => {
            let told = news.source == client::Source::Told;
            let how = if told { "told" } else { "asked" };
            format!("{how} {} {}", news.kind.as_str(), news.job.sequence)
        }
        Update::Current(job) => format!("current {} {}", job.status.as_str(), job.sequence),
        Update::JobUnknown(_) => "job unknown".to_owned(),
        Update::Status(status) => {
            format!(
                "status {}",
                status.map_or("none", dubhook_core::model::NewestStatus::as_str)
            )
        }
        Update::Submitted(job) => format!("submitted {}", job.sequence),
        Update::Canceled(job) => format!("canceled {}", job.sequence),
        Update::List(list) => format!("list of {}", list.translations().count()),
        Update::Registered(_) => "registered".to_owned(),
        Update::RegistrationLost => "registration lost".to_owned(),
        Update::SwitchedOff => "switched off".to_owned(),
        Update::Unregistered => "unregistered".to_owned(),
        Update::Test => "test".to_owned(),
        Update::Delayed { failure, .. } => format!("delayed: {failure:?}"),
        Update::Refused { status, .. } => format!("refused: {status}"),
    }
}
