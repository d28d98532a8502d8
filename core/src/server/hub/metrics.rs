//! Metrics: the server's figures in the text format of Prometheus (version 0.0.4).
//!
//! All of them are at hand; nothing is counted for the occasion. They tell of this run, and of this moment: a job that
//! is not durable yet is among them, and a restart begins at zero.

use super::{store::StoreFigures, text::Text};
use crate::{http::FieldLine, out::Out, server::Server};

/// What the text is.
pub(in crate::server) const METRICS_TEXT: FieldLine =
    FieldLine::new("content-type: text/plain; version=0.0.4; charset=utf-8\r\n");
/// The most bytes of the text: all figures at their largest, which a test tries.
pub(in crate::server) const METRICS_BYTES_MAX: usize = 6_912;

/// What has come and gone over connections since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::server) struct Traffic {
    /// Connections taken on.
    accepted: u64,
    /// Connections for which no slot was free.
    refused: u64,
    /// Answers by the first digit of their status.
    answers: [u64; 6],
}

impl Traffic {
    /// Counts a connection that there was a slot for, or none.
    pub(in crate::server) const fn count_connection(&mut self, is_accepted: bool) {
        if is_accepted {
            self.accepted += 1;
        } else {
            self.refused += 1;
        }
    }

    /// Counts the answer whose head stands in `written` from `start` on.
    ///
    /// It is told by what is written, so that what is counted is what the client sees.
    pub(in crate::server) fn count_answer(&mut self, written: &[u8], start: usize) {
        const BEFORE_STATUS: usize = b"HTTP/1.1 ".len();
        let digit = written.get(start.wrapping_add(BEFORE_STATUS));
        let class = digit.map_or(usize::MAX, |digit| usize::from(digit.wrapping_sub(b'0')));
        if let Some(count) = self.answers.get_mut(class) {
            *count += 1;
        }
    }
}

/// Every figure, at one moment.
struct Figures {
    is_stopping: bool,
    submitted: u64,
    ended: [u64; 3],
    refused: u64,
    jobs: u64,
    jobs_processing: u64,
    jobs_capacity: u64,
    webhooks: u64,
    webhooks_capacity: u64,
    webhooks_disabled: u64,
    attempts: u64,
    attempts_in_flight: u64,
    attempts_capacity: u64,
    /// Delivered, and given up.
    deliveries: [u64; 2],
    owed: u64,
    dead_letters: u64,
    letters_dropped: u64,
    connections: u64,
    connections_held: u64,
    connections_capacity: u64,
    traffic: Traffic,
    store: Option<StoreFigures>,
}

/// Writes the figures of a server.
pub(in crate::server) fn write_metrics(server: &Server<'_>, out: &mut Out<'_>) {
    Figures::of(server).write(out);
}

impl Figures {
    fn of(server: &Server<'_>) -> Self {
        let service = &server.service;
        let (counters, outbox) = (service.counters(), service.outbox());
        Self {
            is_stopping: server.stopping,
            submitted: counters.submitted,
            ended: [counters.completed, counters.errors, counters.canceled],
            refused: counters.refused,
            jobs: service.jobs_len() as u64,
            jobs_processing: service.jobs_processing() as u64,
            jobs_capacity: service.jobs_capacity() as u64,
            webhooks: service.endpoints_len() as u64,
            webhooks_capacity: service.endpoints_capacity() as u64,
            webhooks_disabled: counters.disabled,
            attempts: counters.attempts,
            attempts_in_flight: outbox.attempts_in_flight() as u64,
            attempts_capacity: outbox.attempts_capacity() as u64,
            deliveries: [counters.delivered, counters.dead],
            owed: outbox.streams_live() as u64,
            dead_letters: outbox.dead_letters() as u64,
            letters_dropped: outbox.letters_dropped(),
            connections: server.conns.len() as u64,
            connections_held: server.conns_held() as u64,
            connections_capacity: server.conns.capacity() as u64,
            traffic: server.traffic,
            store: server.store,
        }
    }

    fn write(&self, out: &mut Out<'_>) {
        let mut text = Text::new(out);
        let version = [(env!("CARGO_PKG_VERSION"), 1)];
        text.gauge("build_info", "The version that runs.")
            .each("version", &version);
        text.gauge("stopping", "Whether the server is about to stop.")
            .value(self.is_stopping.into());
        self.write_jobs(&mut text);
        self.write_deliveries(&mut text);
        self.write_traffic(&mut text);
        if let Some(store) = &self.store {
            store.write_to(&mut text);
        }
    }

    fn write_jobs(&self, text: &mut Text<'_, '_>) {
        text.counter("jobs_submitted_total", "Jobs accepted.")
            .value(self.submitted);
        let [completed, errors, canceled] = self.ended;
        text.counter("jobs_ended_total", "Jobs that ended, by how.")
            .each(
                "status",
                &[
                    ("completed", completed),
                    ("error", errors),
                    ("canceled", canceled),
                ],
            );
        text.counter(
            "refused_total",
            "Jobs and webhooks refused for want of room.",
        )
        .value(self.refused);
        text.gauge("jobs", "Jobs in memory, ended ones included.")
            .value(self.jobs);
        text.gauge("jobs_processing", "Jobs that are with a worker.")
            .value(self.jobs_processing);
        text.gauge("jobs_capacity", "Jobs that memory has room for.")
            .value(self.jobs_capacity);
    }

    fn write_deliveries(&self, text: &mut Text<'_, '_>) {
        text.gauge("webhooks", "Webhooks in memory.")
            .value(self.webhooks);
        text.gauge("webhooks_capacity", "Webhooks that memory has room for.")
            .value(self.webhooks_capacity);
        text.counter(
            "webhooks_disabled_total",
            "Webhooks disabled because their receiver was gone or failed for too long.",
        )
        .value(self.webhooks_disabled);
        text.counter("delivery_attempts_total", "Delivery attempts that ended.")
            .value(self.attempts);
        text.gauge(
            "delivery_attempts_in_flight",
            "Delivery attempts under way.",
        )
        .value(self.attempts_in_flight);
        text.gauge(
            "delivery_attempts_capacity",
            "Delivery attempts that may be under way at once.",
        )
        .value(self.attempts_capacity);
        let [delivered, given_up] = self.deliveries;
        text.counter("deliveries_ended_total", "Deliveries that ended, by how.")
            .each(
                "outcome",
                &[("delivered", delivered), ("given_up", given_up)],
            );
        text.gauge(
            "deliveries_owed",
            "Receivers that are owed events of a job, counted once for each job.",
        )
        .value(self.owed);
        text.gauge(
            "dead_letters",
            "Deliveries given up and kept, to be sent again on request.",
        )
        .value(self.dead_letters);
        text.counter(
            "dead_letters_dropped_total",
            "Dead letters forgotten because room was wanted.",
        )
        .value(self.letters_dropped);
    }

    fn write_traffic(&self, text: &mut Text<'_, '_>) {
        let Traffic {
            accepted,
            refused,
            answers: [.., success, known, caller, server],
        } = self.traffic;
        text.gauge("connections", "Connections that are open.")
            .value(self.connections);
        text.gauge(
            "connections_held",
            "Connections that wait until something happens, streams among them.",
        )
        .value(self.connections_held);
        text.gauge(
            "connections_capacity",
            "Connections that may be open at once.",
        )
        .value(self.connections_capacity);
        text.counter("connections_accepted_total", "Connections taken on.")
            .value(accepted);
        text.counter(
            "connections_refused_total",
            "Connections turned away because all were taken.",
        )
        .value(refused);
        text.counter(
            "http_answers_total",
            "Answers, by the class of their status.",
        )
        .each(
            "class",
            &[
                ("2xx", success),
                ("3xx", known),
                ("4xx", caller),
                ("5xx", server),
            ],
        );
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn the_largest_figures_have_room() {
        let most = u64::MAX;
        let figures = Figures {
            is_stopping: true,
            submitted: most,
            ended: [most; 3],
            refused: most,
            jobs: most,
            jobs_processing: most,
            jobs_capacity: most,
            webhooks: most,
            webhooks_capacity: most,
            webhooks_disabled: most,
            attempts: most,
            attempts_in_flight: most,
            attempts_capacity: most,
            deliveries: [most; 2],
            owed: most,
            dead_letters: most,
            letters_dropped: most,
            connections: most,
            connections_held: most,
            connections_capacity: most,
            traffic: Traffic {
                accepted: most,
                refused: most,
                answers: [most; 6],
            },
            store: Some(StoreFigures {
                is_owner: true,
                answers: true,
                epoch: most,
                taken: most,
                lease_left_ms: most,
                stuck_ms: most,
                commits: most,
                commit_ms: most,
            }),
        };
        let mut memory = [0; METRICS_BYTES_MAX];
        let mut out = Out::new(&mut memory);
        figures.write(&mut out);
        assert!(!out.is_full());
        let spare = out.room();
        assert!(spare < METRICS_BYTES_MAX / 4, "{spare} bytes for nothing");
    }

    #[test]
    fn answers_are_counted_by_what_is_written() {
        let mut traffic = Traffic::default();
        for status in ["200 OK", "204 No Content", "404 Not Found", "503 ", "100 "] {
            let written = std::format!("beforeHTTP/1.1 {status}\r\n");
            traffic.count_answer(written.as_bytes(), 6);
        }
        traffic.count_answer(b"", 0);
        assert_eq!(traffic.answers, [0, 1, 2, 0, 1, 1]);
    }
}
