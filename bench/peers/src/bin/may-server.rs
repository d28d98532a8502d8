//! `may-server PORT`: may_minihttp with one worker.

use may_minihttp::{HttpServer, HttpService, Request, Response};
use std::io;

#[derive(Clone)]
struct Status;

impl HttpService for Status {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        if request.path() == "/status" {
            response.header("Content-Type: application/json");
            response.header("Cache-Control: no-store");
            response.body(r#"{"status":"pending"}"#);
        } else {
            response.status_code(404, "Not Found");
        }
        Ok(())
    }
}

fn main() {
    may::config().set_workers(1);
    let server = HttpServer(Status)
        .start(("127.0.0.1", peers::port()))
        .expect("a free port");
    peers::ready();
    server.join().expect("a server");
}
