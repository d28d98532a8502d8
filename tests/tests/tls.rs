//! TLS over real sockets: whom the server calls, whom the client asks, and what the server itself serves.

use dubhook_core::{dispatch::Schedule, service::Limits, simulate::Settings};
use dubhook_smol::{
    client::{Client, Error, Request, Status},
    net::{Interest, Net},
    server::{Builder, Server},
    tls::{Identity, TlsError, Trust},
};
use dubhook_tests::{
    certificates::{Authority, SelfMade, Shown},
    hooks::{attempts, register, submit},
    openssl::OpenSsl,
    program::{Program, run},
    wire::{self, Asker, Hearer, PATIENCE},
};
use rustls::{ClientConnection, ServerConnection, StreamOwned, pki_types::ServerName};
use smol::{future, future::FutureExt};
use std::{
    collections::HashSet,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

/// A server whose jobs take no time, which believes in the authority and makes each attempt once.
fn builder(authority: &Authority) -> Builder {
    let settings = Settings {
        shortest_ms: 0,
        longest_ms: 0,
        errors_ppm: 0,
        steps: 1,
    };
    let mut limits = Limits::SERVER;
    limits.outbox.schedule = Schedule::new(&[]);
    Server::builder()
        .listen("127.0.0.1:0")
        .capacity(100)
        .simulate(settings)
        .limits(limits)
        .trust(trust(authority))
}

fn trust(authority: &Authority) -> Trust {
    let trust = Trust::platform().with_file(authority.file());
    trust.expect("the authority's file")
}

#[test]
fn only_a_receiver_that_proves_its_name_is_told() {
    let authority = Authority::new();
    let server = builder(&authority).bind().expect("a port");
    let server = server.start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let untrusted = "the TLS connection could not be trusted";
    let stranger = Authority::new().server(Shown::Good("localhost"));
    let cases = [
        (authority.server(Shown::Good("localhost")), None),
        (authority.server(Shown::Expired), Some(untrusted)),
        (authority.server(Shown::Early), Some(untrusted)),
        (authority.server(Shown::OtherName), Some(untrusted)),
        // The address that is connected to is no excuse for another name.
        (authority.server(Shown::Good("127.0.0.1")), Some(untrusted)),
        (authority.server(Shown::SelfSigned), Some(untrusted)),
        (stranger, Some(untrusted)),
    ];
    let hearers = cases.map(|(tls, why)| (Hearer::secured(tls), why));
    let told: Vec<_> = hearers
        .iter()
        .map(|(hearer, why)| {
            let endpoint = register(&mut asker, &hearer.url_by("localhost"));
            (endpoint, hearer, why)
        })
        .collect();
    submit(&mut asker);
    for (endpoint, hearer, why) in told {
        match why {
            Some(why) => {
                let expect = vec![(0, (*why).to_owned())];
                assert_eq!(attempts(&mut asker, &endpoint, 1), expect);
                assert_eq!(hearer.arrived().count(), 0, "it was told nothing");
            }
            None => {
                let arrival = hearer.next();
                assert_eq!(arrival.kind(), "translation.completed");
                let host = format!("localhost:{}", hearer.address.port());
                assert_eq!(arrival.fields["host"], host);
                let expect = vec![(204, String::new())];
                assert_eq!(attempts(&mut asker, &endpoint, 1), expect);
            }
        }
    }
    server.stop().expect("a good end");
}

#[test]
fn a_receiver_that_speaks_no_tls_is_told_nothing() {
    let server = builder(&Authority::new()).bind().expect("a port");
    let server = server.start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut hello = [0; 4];
            stream.read_exact(&mut hello).expect("a greeting");
            assert_eq!(hello[0], 22, "a handshake, and no request");
            let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).expect("it listens");
        }
    });
    let endpoint = register(&mut asker, &format!("https://{address}/"));
    submit(&mut asker);
    let why = "this is not TLS: the receiver answers without it";
    assert_eq!(attempts(&mut asker, &endpoint, 1), [(0, why.to_owned())]);
    // Nor does the client take it for a server.
    let asked = run(&["status", "--server", &format!("https://{address}")]);
    let told = String::from_utf8_lossy(&asked.stderr);
    assert!(told.contains("this is not TLS"), "{told}");
}

#[test]
fn a_receiver_that_hangs_up_on_a_greeting_is_told_as_that() {
    let server = builder(&Authority::new()).bind().expect("a port");
    let server = server.start().expect("a thread");
    let mut asker = Asker::new(server.address());
    // One that has read all of it ends the connection, and one that has not cuts it.
    for bytes_read in [1, 4_096] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.read(&mut vec![0; bytes_read]).expect("a greeting");
            }
        });
        let endpoint = register(&mut asker, &format!("https://{address}/"));
        submit(&mut asker);
        let why =
            "the receiver closed the connection during the TLS handshake: is it http:// there?";
        assert_eq!(attempts(&mut asker, &endpoint, 1), [(0, why.to_owned())]);
        let asked = run(&["status", "--server", &format!("https://{address}")]);
        let told = String::from_utf8_lossy(&asked.stderr);
        assert!(told.contains("closed during the TLS handshake"), "{told}");
    }
    server.stop().expect("a good end");
}

#[test]
fn what_speaks_tls_only_says_so() {
    let authority = Authority::new();
    let hearer = Hearer::secured(authority.server(Shown::Good("127.0.0.1")));
    let server = builder(&authority).bind().expect("a port");
    let server = server.start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let url = format!("http://{}", hearer.address);
    let endpoint = register(&mut asker, &url);
    submit(&mut asker);
    let why = "the receiver speaks TLS: use https://";
    assert_eq!(attempts(&mut asker, &endpoint, 1), [(0, why.to_owned())]);
    let asked = run(&["status", "--server", &url]);
    let told = String::from_utf8_lossy(&asked.stderr);
    assert!(told.contains("use https://"), "{told}");
    server.stop().expect("a good end");
}

#[test]
fn a_receiver_with_other_cipher_suites_is_named_so() {
    let authority = Authority::new();
    // As one that knows static RSA or CBC alone: an alert is its answer to every greeting.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut hello = [0; 4];
            stream.read_exact(&mut hello).expect("a greeting");
            stream
                .write_all(&[21, 3, 3, 0, 2, 2, 40])
                .expect("it listens");
        }
    });
    let server = builder(&authority).bind().expect("a port");
    let server = server.start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let endpoint = register(&mut asker, &url);
    submit(&mut asker);
    let why = "the receiver speaks TLS with no cipher suite in common";
    assert_eq!(attempts(&mut asker, &endpoint, 1), [(0, why.to_owned())]);
    let asked = run(&["status", "--server", url.trim_end_matches('/')]);
    let told = String::from_utf8_lossy(&asked.stderr);
    assert!(told.contains("no cipher suite in common"), "{told}");
    server.stop().expect("a good end");
}

/// As most do who speak it: they hang up on a plain request without a word.
#[test]
fn what_speaks_tls_and_hangs_up_on_a_plain_request_is_told_from_what_only_hangs_up() {
    let Some(made) = OpenSsl::serve("P-256", "P-256") else {
        eprintln!("there is no openssl here: not tried");
        return;
    };
    let closing = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closing_at = closing.local_addr().expect("an address");
    thread::spawn(move || {
        while let Ok((mut stream, _)) = closing.accept() {
            let _ = stream.read(&mut [0; 4_096]);
        }
    });
    let server = builder(&Authority::new()).bind().expect("a port");
    let server = server.start().expect("a thread");
    let mut asker = Asker::new(server.address());
    // A greeting is waited for for less than a second: where the machine stalls for longer, it is sent again.
    const TRIES: usize = 5;
    let speaking = made.url.replace("https://", "http://");
    for (url, why, said) in [
        (
            speaking,
            "the receiver speaks TLS: use https://",
            "use https://",
        ),
        (
            format!("http://{closing_at}/"),
            "the connection was closed before the answer was complete",
            "",
        ),
    ] {
        let endpoint = register(&mut asker, &url);
        let found = (1..=TRIES).find_map(|count| {
            submit(&mut asker);
            let found = attempts(&mut asker, &endpoint, count).pop();
            found.filter(|(status, found)| *status != 0 || found == why || count == TRIES)
        });
        assert_eq!(found, Some((0, why.to_owned())));
        let told = (1..=TRIES).find_map(|count| {
            let asked = run(&["status", "--server", url.trim_end_matches('/')]);
            let told = String::from_utf8_lossy(&asked.stderr).into_owned();
            assert_eq!(asked.status.code(), Some(3), "{told}");
            (told.contains(said) || count == TRIES).then_some(told)
        });
        let told = told.expect("it was asked");
        assert!(told.contains(said), "{told}");
        assert!(!said.is_empty() || !told.contains("https://"), "{told}");
    }
    server.stop().expect("a good end");
}

/// A kind of key that the provider lacks, of the receiver itself or of who vouches for it.
#[test]
fn a_receiver_with_a_key_on_p521_is_named_so() {
    for (kind, signed_by) in [("P-521", "P-521"), ("P-256", "P-521")] {
        let Some(made) = OpenSsl::serve(kind, signed_by) else {
            eprintln!("there is no openssl here: not tried");
            return;
        };
        let trust = Trust::platform().with_file(made.authority());
        let server = builder(&Authority::new()).trust(trust.expect("its file"));
        let server = server.bind().expect("a port").start().expect("a thread");
        let mut asker = Asker::new(server.address());
        let endpoint = register(&mut asker, &made.url);
        submit(&mut asker);
        let why = "the receiver speaks TLS with no cipher suite in common";
        assert_eq!(
            attempts(&mut asker, &endpoint, 1),
            [(0, why.to_owned())],
            "{kind} by {signed_by}"
        );
        server.stop().expect("a good end");
    }
}

#[test]
fn a_certificate_that_was_given_counts_for_its_names() {
    let authority = Authority::new();
    let cases = [
        (SelfMade::Listed, "localhost", true),
        // Its name is nowhere but in its subject.
        (SelfMade::Called, "localhost", true),
        (SelfMade::Listed, "127.0.0.1", false),
        (SelfMade::Called, "127.0.0.1", false),
        (SelfMade::Expired, "localhost", false),
    ];
    for (made, name, is_believed) in cases {
        let (tls, file) = authority.self_made(made);
        let hearer = Hearer::secured(tls);
        let trust = Trust::platform().with_file(file).expect("its file");
        let server = builder(&authority).trust(trust).bind().expect("a port");
        let server = server.start().expect("a thread");
        let mut asker = Asker::new(server.address());
        let endpoint = register(&mut asker, &hearer.url_by(name));
        submit(&mut asker);
        let expect = match is_believed {
            true => (204, String::new()),
            false => (0, "the TLS connection could not be trusted".to_owned()),
        };
        assert_eq!(
            attempts(&mut asker, &endpoint, 1),
            [expect],
            "{made:?} {name}"
        );
        server.stop().expect("a good end");
    }
}

#[test]
fn one_secured_connection_serves_many_deliveries() {
    let authority = Authority::new();
    let server = builder(&authority).bind().expect("a port");
    let server = server.start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let hearer = Hearer::secured(authority.server(Shown::Good("127.0.0.1")));
    let endpoint = register(&mut asker, &hearer.url());
    let mut peers = HashSet::new();
    for settled in 1..=5 {
        submit(&mut asker);
        peers.insert(hearer.next().peer);
        attempts(&mut asker, &endpoint, settled);
    }
    assert_eq!(peers.len(), 1);
    server.stop().expect("a good end");
}

#[test]
fn a_client_asks_a_secured_server_that_it_believes() {
    let authority = Authority::new();
    let [certificate, key] = authority.files("127.0.0.1");
    let identity = Identity::from_files(certificate, key).expect("an identity");
    let server = builder(&authority).identity(identity).bind();
    let server = server.expect("a port").start().expect("a thread");
    assert!(server.url().starts_with("https://127.0.0.1:"));
    smol::block_on(async {
        let client = Client::new(server.url())
            .ca_file(authority.file())
            .webhook("localhost", 0);
        client.register_webhook().await.expect("a registration");
        for _ in 0..3 {
            let request = Request::new("https://v.test/1.mp4").to("es");
            let job = client.translate(request).await.expect("a job");
            let ended = job.wait().await.expect("an end");
            assert_eq!(ended.status, Status::Completed);
        }
        client.close().await.expect("a good end");

        let name = server.url().replace("127.0.0.1", "localhost");
        for client in [
            Client::new(server.url()),
            Client::new(name).ca_file(authority.file()),
        ] {
            let refused = client.patience(Duration::ZERO).status().await;
            match refused {
                Err(Error::NoAnswer { why, .. }) => assert!(why.contains("certificate"), "{why}"),
                other => panic!("{other:?}"),
            }
        }
    });
    server.stop().expect("a good end");
}

#[test]
fn a_connection_too_many_to_a_secured_server_ends_at_once() {
    // The fewest connections that a server takes.
    const CONNECTIONS: usize = 256;
    // Where a machine stalls for seconds, those who have been silent for so long go first, and nobody is refused: then it is
    // tried again.
    const TRIES: usize = 5;
    wire::take_descriptors();
    let authority = Authority::new();
    let [certificate, key] = authority.files("127.0.0.1");
    let identity = Identity::from_files(certificate, key).expect("an identity");
    let server = builder(&authority).identity(identity).bind();
    let server = server.expect("a port").start().expect("a thread");
    let connect = |_| TcpStream::connect(server.address()).expect("a listener");
    let mut held = Vec::new();
    let is_refused = (0..TRIES).any(|_| {
        held = (0..CONNECTIONS).map(connect).collect();
        let mut last = connect(0);
        let soon = Some(Duration::from_secs(10));
        last.set_read_timeout(soon).expect("a time-out");
        match wire::read(&mut last, &mut [0]) {
            Ok(len) => len == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    });
    assert!(is_refused, "all of them have a place");
    // Whoever is silent goes where others wait, and whoever comes again has a place.
    let client = Client::new(server.url()).ca_file(authority.file());
    smol::block_on(client.patience(PATIENCE).status()).expect("room");
    drop(held);
    server.stop().expect("a good end");
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let authority = Authority::new();
    let [certificate, key] = authority.files("localhost");
    let [_, other] = Authority::new().files("localhost");
    let check = |result: Result<Identity, TlsError>, file: &std::path::Path| {
        let error = result.expect_err("no identity").to_string();
        assert!(error.starts_with(&file.display().to_string()), "{error}");
    };
    check(Identity::from_files(&key, &key), &key);
    check(
        Identity::from_files(&certificate, &certificate),
        &certificate,
    );
    let stranger = other.with_file_name("none.pem");
    check(Identity::from_files(&certificate, &stranger), &stranger);
    let client = Client::new("https://127.0.0.1:1").ca_file(&key);
    let refused = smol::block_on(client.status());
    assert!(matches!(refused, Err(Error::Tls(_))), "{refused:?}");
}

#[test]
fn the_program_serves_and_asks_with_certificates_of_ones_own() {
    let authority = Authority::new();
    let files = authority.files("127.0.0.1");
    let [certificate, key] = files.each_ref().map(|file| file.to_str().expect("UTF-8"));
    let ca = authority.file();
    let ca = ca.to_str().expect("UTF-8");
    let log = authority.file().with_file_name("log");
    let arguments = ["--in-memory", "--tls-cert", certificate, "--tls-key", key];
    let mut program = Program::serve(&arguments, &log);
    let server = format!("https://{}", program.address());
    let video = "https://v.test/1.mp4";
    let asked = ["translate", video, "--to", "es", "--server", &server];
    let output = run(&[&asked[..], &["--ca", ca]].concat());
    assert!(output.status.success(), "{output:?}");
    let refused = run(&asked);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("certificate"), "{why}");
    let alone = run(&["serve", "--in-memory", "--tls-cert", certificate]);
    assert_eq!(alone.status.code(), Some(2), "{alone:?}");
}

/// More than a socket holds goes both ways, tried before it is waited for.
#[test]
fn a_secured_stream_gives_and_takes_more_than_fits() {
    let many = wire::more_than_sockets_hold();
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let tls = trust(&authority).client();
    let (full, is_full) = channel();
    let echo = thread::spawn(move || {
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(tls, name).expect("a connection");
        let socket = TcpStream::connect(address).expect("a listener");
        let mut stream = StreamOwned::new(connection, socket);
        let mut bytes = vec![0; many];
        let StreamOwned { conn, sock } = &mut stream;
        conn.complete_io(sock).expect("a handshake");
        // It reads only once no more fits.
        is_full.recv().expect("a full socket");
        stream.read_exact(&mut bytes).expect("all of it");
        stream.write_all(&bytes).expect("it reads");
        stream.conn.send_close_notify();
        stream.flush().expect("it reads");
    });
    let sent: Vec<u8> = (0..many).map(|at| (at % 251) as u8).collect();
    let connection = ServerConnection::new(authority.server(Shown::Good("localhost")));
    let net = Net::new().expect("a descriptor");
    let talk = async {
        let (socket, _) = listener.accept().expect("a connection");
        let stream = net.watch(socket).expect("a descriptor");
        let stream = stream.secure(connection.expect("a connection"));
        stream.handshake().await.expect("a handshake");
        let mut left = &sent[..];
        while !left.is_empty() {
            match stream.try_write(left).expect("it reads") {
                Some(len) => left = &left[len..],
                None => {
                    full.send(()).expect("the other end");
                    stream.ready(Interest::Write).await;
                }
            }
        }
        let (mut received, mut bytes) = (Vec::new(), [0; 5_000]);
        loop {
            match stream.try_read(&mut bytes).expect("it writes") {
                Some(0) => break,
                Some(len) => received.extend_from_slice(&bytes[..len]),
                None => stream.ready(Interest::Read).await,
            }
        }
        assert!(received == sent);
    };
    let run = async {
        net.run().await.expect("the system tells");
        future::pending().await
    };
    smol::block_on(talk.or(run));
    echo.join().expect("no panic");
}
