//! The client library over real sockets.

use dubhook_core::{simulate::Settings, url::Url};
use dubhook_smol::{
    client::{Client, Error, NewestStatus, Pauses, Request, Status, Timings},
    server::{Handle, Server},
};
use dubhook_tests::wire::{ALONE, PATIENCE};
use smol::{future, future::FutureExt, stream::StreamExt};
use std::{net::TcpListener, time::Duration};

/// A server on a free port whose jobs take so many milliseconds, and of which so many of a million fail.
fn serve_for(ms: u64, errors_ppm: u32) -> Handle {
    serve_at("127.0.0.1:0", ms, errors_ppm)
}

/// The same, there.
fn serve_at(address: &str, ms: u64, errors_ppm: u32) -> Handle {
    let settings = Settings {
        shortest_ms: ms,
        longest_ms: ms,
        errors_ppm,
        steps: 2,
    };
    let server = Server::builder().listen(address).capacity(100);
    let server = server.simulate(settings).bind().expect("a port");
    server.start().expect("a thread")
}

/// The same, of jobs that take 20 ms.
fn serve(errors_ppm: u32) -> Handle {
    serve_for(20, errors_ppm)
}

fn request() -> Request {
    Request::new("https://v.test/1.mp4").to("es")
}

/// Pauses for a test: short ones.
const IMPATIENT: Timings = Timings {
    retry: Pauses {
        first_ms: 10,
        max_ms: 100,
    },
    ask: Pauses {
        first_ms: 50,
        max_ms: 400,
    },
    ask_alone: Pauses {
        first_ms: 20,
        max_ms: 100,
    },
    check_ms: 200,
    ..Timings::STANDARD
};

/// Pauses for a test in which a client shall be told, however late that comes, and not ask.
const UNHURRIED: Timings = Timings {
    ask: Pauses {
        first_ms: 300_000,
        max_ms: 300_000,
    },
    ..Timings::STANDARD
};

/// Whatever is waited for here takes far less than this, unless it never comes.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    let late = async {
        smol::Timer::after(PATIENCE).await;
        panic!("it never came");
    };
    what.or(late).await
}

#[test]
fn a_client_is_told_how_its_job_ends() {
    for (errors_ppm, status, simple) in [
        (0, Status::Completed, NewestStatus::Completed),
        (1_000_000, Status::Error, NewestStatus::Error),
    ] {
        let server = serve(errors_ppm);
        smol::block_on(soon(async {
            let client = Client::new(server.url())
                .webhook("localhost", 0)
                .timings(UNHURRIED);
            client.register_webhook().await.unwrap();
            let mut events = client.events();
            assert_eq!(client.status().await.unwrap(), None);

            let job = client
                .translate(request().reference("one \"two\""))
                .await
                .unwrap();
            // It may have ended by now.
            let known = client.known_status();
            assert!([NewestStatus::Pending, simple].map(Some).contains(&known));
            let end = job.wait().await.unwrap();
            assert_eq!((end.status, end.has_ended()), (status, true));
            assert_eq!(end.output_url.is_some(), status == Status::Completed);
            assert_eq!(end.error.is_some(), status == Status::Error);
            assert_eq!(end.reference.as_deref(), Some("one \"two\""));
            assert_eq!(end.name().as_str(), job.id());
            assert_eq!(client.known_status(), Some(simple));
            assert_eq!(client.status().await.unwrap(), Some(simple));

            // Told by webhook, each once and in order.
            let mut last = 0;
            loop {
                let event = events.next().await.unwrap();
                assert!(event.by_webhook && event.translation.sequence > last);
                last = event.translation.sequence;
                if event.kind.is_terminal() {
                    assert_eq!(event.translation, end);
                    break;
                }
            }
            assert_eq!(events.missed(), 0);

            client.close().await.unwrap();
            assert_eq!(events.next().await, None);
            assert!(matches!(client.status().await, Err(Error::Closed)));
            // What was known of the job stays known.
            assert_eq!(job.latest().unwrap(), Some(end));
        }));
        server.stop().unwrap();
    }
}

#[test]
fn a_client_without_a_webhook_asks() {
    let server = serve(0);
    smol::block_on(soon(async {
        let client = Client::new(server.url());
        let job = client.translate(request()).await.unwrap();
        assert_eq!(job.wait().await.unwrap().status, Status::Completed);
        assert!(matches!(
            client.register_webhook().await,
            Err(Error::NoWebhook)
        ));
        client.close().await.unwrap();
    }));
    server.stop().unwrap();
}

#[test]
fn a_job_of_somebody_else_can_be_followed_even_after_its_end() {
    let server = serve(0);
    smol::block_on(soon(async {
        let one = Client::new(server.url()).webhook("127.0.0.1", 0);
        let job = one.translate(request()).await.unwrap();
        let end = job.wait().await.unwrap();
        for client in [&one, &Client::new(server.url())] {
            let same = client.follow(&job.id()).await.unwrap();
            assert_eq!(same.wait().await.unwrap(), end);
        }
        let other = one.follow("job_00000000000000000000000007").await.unwrap();
        assert!(matches!(other.wait().await, Err(Error::JobUnknown(_))));
        assert!(matches!(one.follow("job_7").await, Err(Error::JobId(_))));
    }));
    server.stop().unwrap();
}

#[test]
fn a_job_can_be_called_off_once() {
    let server = serve_for(600_000, 0);
    smol::block_on(soon(async {
        let client = Client::new(server.url()).webhook("127.0.0.1", 0);
        let job = client.translate(request()).await.unwrap();
        let end = job.cancel().await.unwrap();
        assert_eq!(end.status, Status::Canceled);
        assert_eq!(job.wait().await.unwrap().sequence, end.sequence);
        match job.cancel().await {
            Err(Error::Refused(refusal)) => assert_eq!(refusal.code, "job_ended"),
            other => panic!("{other:?}"),
        }
        let other = client
            .follow("job_00000000000000000000000007")
            .await
            .unwrap();
        assert!(matches!(other.cancel().await, Err(Error::JobUnknown(_))));
        client.close().await.unwrap();
        assert!(matches!(job.cancel().await, Err(Error::Closed)));
    }));
    server.stop().unwrap();
}

#[test]
fn many_jobs_at_once_each_find_their_asker() {
    let server = serve(300_000);
    smol::block_on(soon(async {
        let client = Client::new(server.url()).webhook("localhost", 0);
        client.register_webhook().await.unwrap();
        let tasks: Vec<_> = (0..40)
            .map(|n| {
                let client = client.clone();
                smol::spawn(async move {
                    let request = request().reference(n.to_string());
                    let end = client
                        .translate(request)
                        .await
                        .unwrap()
                        .wait()
                        .await
                        .unwrap();
                    assert_eq!(end.reference, Some(n.to_string()));
                    end.status
                })
            })
            .collect();
        let mut completed = 0;
        for task in tasks {
            completed += usize::from(task.await == Status::Completed);
        }
        assert!((1..40).contains(&completed), "{completed}");
        client.close().await.unwrap();
    }));
    server.stop().unwrap();
}

#[test]
fn jobs_that_nobody_holds_make_room() {
    let server = serve(0);
    smol::block_on(soon(async {
        let client = Client::new(server.url()).capacity(2);
        let first = client.translate(request()).await.unwrap();
        let second = client.translate(request()).await.unwrap();
        assert!(matches!(
            client.translate(request()).await,
            Err(Error::Full)
        ));
        drop((first, second));
        let third = client.translate(request()).await.unwrap();
        third.wait().await.unwrap();
    }));
    server.stop().unwrap();
}

#[test]
fn a_registration_is_removed_at_the_end() {
    let server = serve(0);
    let mut asker = dubhook_tests::wire::Asker::new(server.address());
    let mut webhooks = || {
        let list = asker.call("GET", "/v1/webhooks", "");
        list.json()["data"].as_array().unwrap().len()
    };
    smol::block_on(soon(async {
        let client = Client::new(server.url()).webhook("localhost", 0);
        client.register_webhook().await.unwrap();
        assert_eq!(webhooks(), 1);
        client.close().await.unwrap();
        assert_eq!(webhooks(), 0);

        // Or when the last handle is gone; that nobody waits for.
        let client = Client::new(server.url()).webhook("localhost", 0);
        client.register_webhook().await.unwrap();
        let url = client.webhook_url().unwrap().to_owned();
        let port = Url::parse(&url, url.len()).unwrap().port();
        assert_eq!(webhooks(), 1);
        drop(client);
        while webhooks() > 0 {
            future::yield_now().await;
        }
        // And the port is free again.
        while TcpListener::bind(("127.0.0.1", port)).is_err() {
            future::yield_now().await;
        }
    }));
    server.stop().unwrap();
}

#[test]
fn an_address_is_a_host_with_brackets_or_without() {
    let server = serve(0);
    let mut asker = dubhook_tests::wire::Asker::new(server.address());
    smol::block_on(soon(async {
        for host in ["::1", "[::1]"] {
            let client = Client::new(server.url()).webhook(host, 3120);
            let client = client.webhook_listen("127.0.0.1", 0);
            client.register_webhook().await.unwrap();
            let list = asker.call("GET", "/v1/webhooks", "").json();
            assert_eq!(list["data"][0]["url"], "http://[::1]:3120/webhook");
            assert_eq!(client.webhook_url(), Some("http://[::1]:3120/webhook"));
            client.close().await.unwrap();
        }
    }));
    server.stop().unwrap();
}

#[test]
fn a_server_that_was_started_anew_is_told_again_whom_to_tell() {
    // Where the port is still its own when it comes back.
    let first = serve_at(&format!("{ALONE}:0"), 20, 0);
    let address = first.address();
    smol::block_on(soon(async {
        let client = Client::new(first.url())
            .webhook("localhost", 0)
            .timings(IMPATIENT);
        client.register_webhook().await.unwrap();
        let lost = client.translate(request()).await.unwrap();
        first.stop().unwrap();
        let second = serve_at(&address.to_string(), 20, 0);
        // Its memory is gone, and with it the job, unless the client had heard of its end.
        match lost.wait().await {
            Ok(end) => assert!(end.has_ended()),
            Err(error) => assert!(matches!(error, Error::JobUnknown(_))),
        }
        // Jobs of somebody else, of which the client can only be told.
        let mut events = client.events();
        let other = Client::new(second.url()).timings(IMPATIENT);
        let told = async {
            loop {
                let event = events.next().await.unwrap();
                if event.by_webhook && event.translation.has_ended() {
                    return;
                }
            }
        };
        let ask_again = async {
            loop {
                let job = other.translate(request()).await.unwrap();
                job.wait().await.unwrap();
            }
        };
        told.or(ask_again).await;
        client.close().await.unwrap();
        second.stop().unwrap();
    }));
}

#[test]
fn what_goes_wrong_has_a_sentence_that_helps() {
    #[track_caller]
    fn check<T: std::fmt::Debug>(result: Result<T, Error>, expect: &str) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
    let server = serve(0);
    let nobody = {
        let listener = TcpListener::bind((ALONE, 0)).unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    smol::block_on(soon(async {
        let client = Client::new(&nobody).patience(Duration::ZERO);
        check(client.status().await, &format!("{nobody} does not answer"));
        check(client.translate(request()).await, "Connection refused");
        let client = client.webhook("localhost", 0);
        check(
            client.clone().register_webhook().await,
            "there is no webhook",
        );

        let taken = TcpListener::bind((ALONE, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let client = Client::new(server.url()).webhook(ALONE, port);
        check(client.register_webhook().await, "is in use");
        // Once it is free, the same client can begin.
        drop(taken);
        client.register_webhook().await.unwrap();
        client.close().await.unwrap();

        let client = Client::new(server.url()).webhook("192.0.2.1", 3120);
        check(client.register_webhook().await, "webhook_listen()");
        let client = client.webhook_listen("127.0.0.1", 0);
        check(client.register_webhook().await, "(callback_blocked)");
        client.close().await.unwrap();

        let client = Client::new(server.url());
        check(
            client.translate(request().to("spanish")).await,
            "target_language",
        );
        check(
            client
                .translate(request().reference("x".repeat(20_000)))
                .await,
            "too long",
        );
        check(Client::new("localhost:8000").status().await, "http://");
        let nowhere = nobody.replace("http://", "https://");
        let client = Client::new(&nowhere).patience(Duration::ZERO);
        check(client.status().await, &nowhere);
        check(
            Client::new(server.url()).api_key("").status().await,
            "API key",
        );
    }));
    server.stop().unwrap();
}
