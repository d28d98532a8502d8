//! Translation jobs, signed webhooks and the HTTP/1.1 they need, as sans-IO state machines.
//!
//! Bytes and time go in; bytes and deadlines come out. Nothing here opens a socket, reads a clock, allocates,
//! recurses, or panics on input (as it is built for release, without overflow checks). Memory is the caller's: the same
//! code runs with 8 jobs in a `static` and with 1,000,000 on a server.
//!
//! # The house
//!
//! Imports point down, never up and never in a circle. A room knows one thing.
//!
//! | floor | rooms |
//! | --- | --- |
//! | the machines | [`server`], [`client`] |
//! | the service, and its API on paper | [`service`], `api` |
//! | the event library | [`dispatch`], over `delivery` |
//! | what is remembered | [`job`], [`event`], `feed`, [`endpoint`], `idempotency`, [`log`], [`record`], [`simulate`], [`model`], [`text`] |
//! | what goes over the wire | [`http`], [`json`], [`signature`], [`url`], [`address`], [`language`] |
//! | the ground | [`time`], [`out`], [`id`], [`random`], `slab`, `timer`, [`setup`] |
//!
//! Start with [`server`] for a whole translation server, also with a front end of your own ([`service`]), [`client`] to be
//! told by one, [`dispatch`] to tell webhooks of events of your own, or [`http`], [`json`] and [`signature`], which know
//! nothing of jobs.
//!
//! # Features
//!
//! By default the whole is there but for what only a server of many people has. A device takes
//! `default-features = false` and adds what it wants; what is left out is not there at all, and its paths are answered 404.
//!
//! | feature | with it | without it |
//! | --- | --- | --- |
//! | `webhook-api` | `/v1/webhooks` and what is below it | callbacks, and the webhooks that the program itself makes |
//! | `lists` | lists of translations, webhooks and attempts | 405 where only the list is missing, else 404 |
//! | `records` | what a machine knows is written down, and put back after a restart | [`Keep::Nothing`](record::Keep::Nothing) |
//! | `redelivery` | what failed is sent again on request | |
//! | `idempotency` | a request that is repeated makes no second translation | `Idempotency-Key` is passed over |
//! | `guard` | [`address`]: which addresses webhooks may be sent to | **the driver answers for where attempts go** |
//! | `language` | the grammar of language tags | a tag is 1 to 35 letters, digits and hyphens |
//! | `problem-details` | `title` and `detail` in problem documents | `status` and `code` alone |
//! | `hub` (not by default) | `feed`; in [`server`] pages, metrics, reads that wait, streams of events, remote workers | |
//! | `media` (not by default) | `/v1/uploads`, and `output` below a translation: large bodies that cross in pieces; takes `hub` | |
//! | `log`, `defmt` (not by default) | notes of what the machines do | |
//!
//! # The contract
//!
//! A machine has one way in and one way out. Bytes of connections go through `drive`; whatever else has happened goes into
//! `handle`; and what is to be done comes out of `poll`, one thing at a time, until there is nothing but to sleep. In which
//! order things may happen is the machine's business. A call too many does nothing. The same inputs give the same outputs,
//! byte for byte: time is an argument ([`time::Now`]), and randomness comes from a seed.
//!
//! # A translation, from request to webhook, without a socket
//!
//! ```
//! use dubhook_core::{
//!     http::RecvBuf,
//!     out::Out,
//!     record::Keep,
//!     server::{Config, Drive, Input, Output, Ready, Server, ServerStorage},
//!     service::{AttemptResult, Report},
//!     time::{Instant, Now, Timestamp},
//! };
//!
//! // Memory for 8 jobs, 4 endpoints, 2 connections and 4 attempts; nothing is kept across a restart.
//! let mut memory = ServerStorage::<8, 4, 2, 4>::new();
//! let mut config = Config::DEVICE;
//! config.guard.allow_loopback = true;
//! let mut server = Server::new(memory.lend(Keep::Nothing), config, [7; 32]).unwrap();
//! let now = Now { instant: Instant::ZERO, timestamp: Timestamp::from_unix_ms(1_795_510_800_000) };
//!
//! // A request comes in on a connection, and is answered.
//! let conn = server.accept(now).unwrap();
//! let mut received = *b"POST /v1/translations HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n\
//!     content-length: 99\r\n\r\n{\"video_url\":\"https://v.test/1.mp4\",\"target_language\":\"es\",\
//!     \"callback_url\":\"http://127.0.0.1:3120/\"}";
//! let len = received.len();
//! let mut memory = [0; Config::DEVICE.answer_bytes_max()];
//! let mut answer = Out::new(&mut memory);
//! let next = server.drive(now, conn, &mut RecvBuf::new(&mut received, len), &mut answer).unwrap();
//! assert!(answer.written().starts_with(b"HTTP/1.1 202 Accepted\r\n"));
//! assert!(matches!(next, Drive::Input { .. }), "send the answer, and receive the next request");
//!
//! // What is to be done comes out, one thing at a time: here a worker is done with the job at once, and every receiver
//! // takes what it is told.
//! let (mut url, mut request, mut told) = ([0; 128], [0; Config::DEVICE.attempt_bytes_max()], 0);
//! loop {
//!     match server.poll(now, Ready::ALL, &mut []).unwrap() {
//!         Output::Start { job, .. } => {
//!             let report = Report::Completed("https://v.test/1.es.mp4");
//!             server.handle(now, Input::Report { job, report }).unwrap();
//!         }
//!         Output::Attempt(attempt) => {
//!             let url = server.attempt_url(attempt.id, &mut url).unwrap();
//!             let len = server.write_attempt(now, attempt.id, &url, &mut request).unwrap();
//!             assert!(request[..len].starts_with(b"POST / HTTP/1.1\r\nhost: 127.0.0.1:3120\r\n"));
//!             let result = AttemptResult::Answer { status: 204, retry_after_ms: None, body: b"" };
//!             server.handle(now, Input::Attempt { id: attempt.id, result }).unwrap();
//!             told += 1;
//!         }
//!         Output::Sleep(_) => break,
//!         other => unreachable!("nothing else is to be done here: {other:?}"),
//!     }
//! }
//! assert_eq!(told, 3, "pending, processing, completed");
//! ```
#![no_std]
#![forbid(unsafe_code)]
// Where it is built for docs.rs, each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "guard")]
pub mod address;
mod api;
pub mod client;
mod delivery;
mod digits;
pub mod dispatch;
pub mod endpoint;
pub mod event;
#[cfg(feature = "hub")]
mod feed;
pub mod http;
pub mod id;
#[cfg(feature = "idempotency")]
mod idempotency;
mod ip;
pub mod job;
pub mod json;
pub mod language;
pub mod log;
pub mod model;
mod note;
pub mod out;
pub mod random;
pub mod record;
pub mod server;
pub mod service;
pub mod setup;
mod sha256;
pub mod signature;
pub mod simulate;
mod slab;
mod split;
pub mod text;
pub mod time;
mod timer;
pub mod url;

#[doc = include_str!("../embedding.md")]
pub mod embedding {}

/// What the package's README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
