//! The server's side of HTTP/1.1: what a strict server does with good, bad and hostile requests.

mod cases;
mod connection;
mod properties;
mod rules;
