//! Receivers that misbehave, lie about where they are, or send elsewhere, over real sockets.

use dubhook_core::{address::Cidr, dispatch::Schedule, service::Limits};
use dubhook_smol::{
    resolve::Resolve,
    server::{Builder, Server},
};
use dubhook_tests::{
    cases,
    hooks::{NO_TIME, attempts, register, submit},
    neighbours::{self, KINDS, Kind},
    wire::{Asker, Hearer},
};
use serde::Deserialize;
use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// How long an attempt may take: longer than a busy machine stalls.
const ATTEMPT: Duration = Duration::from_secs(10);

/// A server whose jobs take no time, and which makes each attempt once.
fn builder() -> Builder {
    let mut limits = Limits::SERVER;
    limits.attempt_ms = ATTEMPT.as_millis() as u64;
    limits.outbox.schedule = Schedule::new(&[]);
    let server = Server::builder().listen("127.0.0.1:0").capacity(2_000);
    server.simulate(NO_TIME).limits(limits)
}

/// The attempts of an endpoint that are listed.
const LINES: usize = 16;

/// How often an endpoint that fails at once is called in so much time: three times, and then after pauses that double.
fn attempts_max(time: Duration) -> usize {
    let pauses_ms = (0..).map(|doublings| (100 << doublings.min(6)).min(5_000));
    let mut left_ms = time.as_millis();
    let probes = pauses_ms.take_while(|pause_ms| {
        // Chance takes half at most, and a clock that counts milliseconds less than another one.
        let least_ms = pause_ms * 4 / 10;
        let fits = left_ms >= least_ms;
        left_ms = left_ms.saturating_sub(least_ms);
        fits
    });
    3 + probes.count()
}

#[test]
fn a_hundred_that_misbehave_delay_the_good_one_by_nothing() {
    const OF_EACH_KIND: usize = 20;
    const JOBS: usize = 60;
    let server = builder().bind().expect("a port");
    let server = server.start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let late = "the receiver did not answer in time";
    let closed = "the connection was closed before the answer was complete";
    let kinds = KINDS.map(|kind| {
        let why = match kind {
            Kind::Silent | Kind::Drip => late,
            Kind::Reset => closed,
            Kind::Endless => "the answer is too large",
            Kind::Stranger => "the TLS connection could not be trusted",
        };
        (neighbours::listen(kind), why)
    });
    let mut bad = Vec::new();
    for number in 0..OF_EACH_KIND {
        for (url, why) in &kinds {
            bad.push((register(&mut asker, &format!("{url}{number}")), *why));
        }
    }
    let good = Hearer::new();
    let endpoint = register(&mut asker, &good.url());
    let begun = Instant::now();
    for _ in 0..JOBS {
        let job = submit(&mut asker);
        let arrival = good.next();
        assert_eq!(arrival.kind(), "translation.completed");
        assert_eq!(arrival.json()["data"]["id"], job);
    }
    // Had each waited for one attempt that gets no answer, it would have taken twice this.
    let took = begun.elapsed();
    assert!(took < ATTEMPT * JOBS as u32 / 2, "{took:?}");
    let delivered = vec![(204, String::new()); LINES];
    assert_eq!(attempts(&mut asker, &endpoint, LINES), delivered);
    for (endpoint, why) in bad {
        let failed = attempts(&mut asker, &endpoint, 1);
        assert!(
            failed.iter().all(|line| *line == (0, why.to_owned())),
            "{why}: {failed:?}"
        );
        // It is owed an event of every job, and is not called for each.
        let most = attempts_max(begun.elapsed());
        assert!(failed.len() <= most, "{} of {most}", failed.len());
    }
    server.stop().expect("a good end");
}

/// Finds what it was told to find, in this order, and notes who was looked for.
#[derive(Debug, Clone, Default)]
struct Told {
    answers: Arc<Mutex<VecDeque<Vec<IpAddr>>>>,
    names: Arc<Mutex<Vec<String>>>,
}

impl Told {
    fn new(answers: impl IntoIterator<Item = Vec<IpAddr>>) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            names: Arc::default(),
        }
    }

    fn names(&self) -> Vec<String> {
        self.names.lock().expect("names").clone()
    }
}

impl Resolve for Told {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.names.lock().expect("names").push(name.to_owned());
        let answer = self.answers.lock().expect("answers").pop_front();
        answer.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

#[test]
fn a_name_is_looked_up_once_and_checked_at_each_connection() {
    let resolver = Told::new([
        vec![HERE],
        vec![INSIDE],
        vec![HERE, METADATA],
        vec![],
        vec![HERE],
    ]);
    let server = builder().resolver(resolver.clone()).bind();
    let server = server.expect("a port").start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let hearer = Hearer::answering(|_| {
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned()
    });
    let endpoint = register(&mut asker, &hearer.url_by("hooks.example.com"));
    assert_eq!(resolver.names(), [""; 0], "not looked up to be registered");
    let nowhere = "the host name could not be resolved, or leads where deliveries are not allowed";
    let expect = [
        (200, ""),
        // It leads elsewhere now.
        (0, nowhere),
        // One address that may not be called spoils the name.
        (0, nowhere),
        (0, nowhere),
        (200, ""),
    ]
    .map(|(status, why)| (status, why.to_owned()));
    for (settled, line) in (1..).zip(&expect) {
        submit(&mut asker);
        assert_eq!(attempts(&mut asker, &endpoint, settled).last(), Some(line));
        // One look-up for each: the address that was checked is the one that was connected to, for a second look-up
        // would have found another.
        assert_eq!(resolver.names(), vec!["hooks.example.com"; settled]);
    }
    let hosts: Vec<_> = hearer
        .arrived()
        .map(|arrival| arrival.fields["host"].clone())
        .collect();
    let host = format!("hooks.example.com:{}", hearer.address.port());
    assert_eq!(hosts, [host.clone(), host]);
    server.stop().expect("a good end");
}

#[test]
fn a_name_inside_and_one_that_does_not_exist_look_alike() {
    let resolver = Told::new([vec![INSIDE], vec![]]);
    let server = builder().resolver(resolver).bind();
    let server = server.expect("a port").start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let looks = ["inside", "nobody"].map(|name| {
        let endpoint = register(&mut asker, &format!("http://{name}.example.com/"));
        submit(&mut asker);
        attempts(&mut asker, &endpoint, 1);
        let path = format!("/v1/webhooks/{endpoint}");
        let list = asker.call("GET", &format!("{path}/attempts"), "").json();
        let first = list["data"].as_array().expect("a list").last();
        let mut first = first.expect("an attempt").clone();
        let took = first["duration_ms"].take().as_u64().expect("a time");
        for own in ["at", "event"] {
            first[own].take();
        }
        asker.call("DELETE", &path, "");
        (first, took)
    });
    let [(inside, first), (nobody, second)] = looks;
    assert_eq!(inside, nobody);
    assert!(first >= 500 && second >= 500, "{first} and {second} ms");
    server.stop().expect("a good end");
}

#[derive(Debug, Deserialize)]
struct Case {
    group: String,
    why: String,
    redirect_to: Option<String>,
}

#[test]
fn redirects_are_never_followed() {
    let cases = cases::read::<Case>("ssrf_cases.jsonl");
    let elsewhere = Hearer::new();
    let mut locations: Vec<_> = cases
        .into_iter()
        .filter(|case| case.group == "redirect")
        .map(|case| (case.redirect_to.expect("a location"), case.why))
        .collect();
    assert!(locations.len() > 5);
    locations.push((elsewhere.url(), "another receiver".to_owned()));
    let statuses = [301, 302, 303, 307, 308];
    for ((location, why), status) in locations.into_iter().zip(statuses.into_iter().cycle()) {
        let resolver = Told::new([vec![HERE], vec![HERE]]);
        let server = builder().resolver(resolver.clone()).bind();
        let server = server.expect("a port").start().expect("a thread");
        let mut asker = Asker::new(server.address());
        let hearer = Hearer::answering(move |_| {
            format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
        });
        let endpoint = register(&mut asker, &hearer.url_by("hooks.example.com"));
        submit(&mut asker);
        let failed = "the receiver answered with a status that is no success";
        assert_eq!(
            attempts(&mut asker, &endpoint, 1),
            [(status, failed.to_owned())],
            "{why}"
        );
        // It ends with nothing under way, so nothing can still come.
        server.stop().expect("a good end");
        assert_eq!(hearer.arrived().count(), 1, "{why}");
        assert_eq!(resolver.names(), ["hooks.example.com"], "{why}");
    }
    assert_eq!(elsewhere.arrived().count(), 0);
}

/// Where a name leads that has moved, on Linux.
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 77, 0, 3));

/// Tells of four jobs at a name whose first address answers the second with 503. How many came there, how many at the
/// second address, and how often the name was looked up.
#[cfg(target_os = "linux")]
fn told_of_four(found: &[IpAddr]) -> (usize, usize, usize) {
    let here = TcpListener::bind((HERE, 0)).expect("a port");
    let port = here.local_addr().expect("an address").port();
    let there = TcpListener::bind((THERE, port)).expect("the same port elsewhere");
    let statuses = Arc::new(Mutex::new([204, 503].into_iter()));
    let here = Hearer::on(here, move |_| {
        let status = statuses.lock().expect("statuses").next().unwrap_or(204);
        format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n")
    });
    let there = Hearer::on(there, |_| "HTTP/1.1 204 No Content\r\n\r\n".to_owned());
    let resolver = Told::new(found.iter().map(|address| vec![*address]));
    let server = builder().resolver(resolver.clone()).bind();
    let server = server.expect("a port").start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let endpoint = register(&mut asker, &here.url_by("hooks.example.com"));
    for settled in 1..=4 {
        submit(&mut asker);
        attempts(&mut asker, &endpoint, settled);
    }
    server.stop().expect("a good end");
    let arrived = (here.arrived().count(), there.arrived().count());
    (arrived.0, arrived.1, resolver.names().len())
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_is_looked_up_anew_after_a_failure_and_followed() {
    // It has not moved, and the connection that is kept is used again.
    assert_eq!(told_of_four(&[HERE, HERE]), (4, 0, 2));
    // What leads to where it was is closed.
    assert_eq!(told_of_four(&[HERE, THERE, THERE]), (2, 2, 3));
}

#[test]
fn a_server_that_listens_everywhere_calls_itself_at_no_address() {
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 77, 0, 4));
    let resolver = Told::new([vec![elsewhere], vec![HERE]]);
    let everywhere = Cidr::parse("0.0.0.0/0").expect("a network");
    let server = builder().listen("0.0.0.0:0").resolver(resolver);
    let server = server.allow_callback(everywhere).bind().expect("a port");
    let port = server.address().port();
    let server = server.start().expect("a thread");
    let mut asker = Asker::new(SocketAddr::new(HERE, port));
    // The address of the interface that leads outside, where there is one.
    let from = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.77:9")?;
        socket.local_addr()
    });
    let own = from.map_or(HERE, |from| from.ip());
    let hook = format!(r#"{{"url":"http://{own}:{port}/v1/webhooks/x/test"}}"#);
    let refused = asker.call("POST", "/v1/webhooks", &hook);
    assert_eq!(refused.json()["code"], "callback_blocked", "{refused:?}");
    let endpoint = register(&mut asker, &format!("http://hooks.example.com:{port}/"));
    let changed = asker.call("PATCH", &format!("/v1/webhooks/{endpoint}"), &hook);
    assert_eq!(changed.json()["code"], "callback_blocked", "{changed:?}");
    submit(&mut asker);
    let (status, why) = attempts(&mut asker, &endpoint, 1).remove(0);
    assert_eq!(status, 0);
    assert!(
        why.contains("leads where deliveries are not allowed"),
        "{why}"
    );
    server.stop().expect("a good end");
}
