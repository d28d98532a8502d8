//! `reqwest-sender PORT IN_FLIGHT COUNT`: reqwest with its pool, on a tokio runtime of one thread.

use peers::{Events, argument, port};
use reqwest::Client;
use std::{cell::RefCell, rc::Rc};
use tokio::task::LocalSet;

struct Work {
    events: Events,
    left: usize,
}

async fn sender(client: Client, url: String, work: Rc<RefCell<Work>>) {
    loop {
        let event = {
            let mut work = work.borrow_mut();
            if work.left == 0 {
                return;
            }
            work.left -= 1;
            work.events.next_event()
        };
        let response = client
            .post(&url)
            .header("user-agent", "peers/0")
            .header("content-type", "application/json")
            .header("webhook-id", event.id)
            .header("webhook-timestamp", event.timestamp)
            .header("webhook-signature", event.signature)
            .body(event.body)
            .send()
            .await
            .expect("an answer");
        assert!(response.status().is_success());
        response.bytes().await.expect("the rest of the answer");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let in_flight = argument(2).expect("a number in flight");
    let client = Client::builder()
        .pool_max_idle_per_host(in_flight)
        .build()
        .expect("a client");
    let url = format!("http://127.0.0.1:{}/hook", port());
    let work = Rc::new(RefCell::new(Work {
        events: Events::default(),
        left: argument(3).expect("a count"),
    }));
    let tasks = LocalSet::new();
    for _ in 0..in_flight {
        tasks.spawn_local(sender(client.clone(), url.clone(), Rc::clone(&work)));
    }
    tasks.await;
}
