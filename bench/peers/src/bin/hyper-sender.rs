//! `hyper-sender PORT IN_FLIGHT COUNT`: one hyper client connection for each delivery in flight, on a tokio runtime of
//! one thread. This is as fast as hyper gets: no pool, no URL to resolve.

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use peers::{Events, argument, port};
use std::{cell::RefCell, rc::Rc};
use tokio::{net::TcpStream, task::LocalSet};

struct Work {
    events: Events,
    left: usize,
}

async fn sender(port: u16, work: Rc<RefCell<Work>>) {
    let stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("a connection");
    stream.set_nodelay(true).expect("a connection");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("a connection");
    tokio::task::spawn_local(connection);
    let host = format!("127.0.0.1:{port}");
    loop {
        let event = {
            let mut work = work.borrow_mut();
            if work.left == 0 {
                return;
            }
            work.left -= 1;
            work.events.next_event()
        };
        let request = Request::post("/hook")
            .header("host", &host)
            .header("user-agent", "peers/0")
            .header("content-type", "application/json")
            .header("webhook-id", event.id)
            .header("webhook-timestamp", event.timestamp)
            .header("webhook-signature", event.signature)
            .body(Full::new(Bytes::from(event.body)))
            .expect("fields that are valid");
        client.ready().await.expect("a connection");
        let response = client.send_request(request).await.expect("an answer");
        assert!(response.status().is_success());
        response
            .into_body()
            .collect()
            .await
            .expect("the rest of the answer");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let in_flight: usize = argument(2).expect("a number in flight");
    let work = Rc::new(RefCell::new(Work {
        events: Events::default(),
        left: argument(3).expect("a count"),
    }));
    let tasks = LocalSet::new();
    for _ in 0..in_flight {
        tasks.spawn_local(sender(port(), Rc::clone(&work)));
    }
    tasks.await;
}
