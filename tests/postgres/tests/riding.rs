//! What goes on when the server that has the records is killed: callers of the one that stands by, workers elsewhere, the
//! command line and the client library.

use dubhook_postgres_tests::{
    cluster::Cluster,
    rig::{LEASE, LONG, Rig, ask, get, ready, settle, submit, wait_until},
};
use dubhook_smol::client::{Client, Request};
use dubhook_tests::{
    arrivals::Arrivals,
    ledger::Ledger,
    program::{Program, run},
    wire::{self, Asker, Hearer, PATIENCE},
};
use std::{
    collections::BTreeSet,
    io::Write,
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

const QUICK: &[&str] = &["--simulate", "20ms..400ms"];
const REMOTE: &[&str] = &["--translator", "remote"];

/// The URLs of servers, as a flag takes them.
fn servers(addresses: &[SocketAddr]) -> String {
    let urls = addresses.iter().map(|address| format!("http://{address}"));
    urls.collect::<Vec<_>>().join(",")
}

#[test]
fn whoever_asks_a_standby_goes_on_when_the_owner_is_killed() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (first, _) = rig.serve("owner", &cluster.url(), LEASE, QUICK);
    let (_second, standby) = rig.serve("standby", &cluster.url(), LEASE, QUICK);
    let hearer = Hearer::new();
    let (mut ledger, mut arrivals) = (Ledger::new(hearer.url()), Arrivals::default());
    ledger.register_main(&mut Asker::new(standby));
    submit(standby, &mut ledger, "before", 40);
    let killer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        first.kill();
    });
    // Some of them before it, and some after.
    submit(standby, &mut ledger, "while", 400);
    killer.join().expect("it was killed");
    ready(standby);
    submit(standby, &mut ledger, "after", 40);
    settle(standby, &mut ledger, &mut arrivals, &hearer);
}

#[test]
fn a_stream_through_a_standby_goes_on_at_the_next_owner() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (first, _) = rig.serve("owner", &cluster.url(), LEASE, REMOTE);
    let (_second, standby) = rig.serve("standby", &cluster.url(), LEASE, REMOTE);
    let stream = |fields: &str| {
        let mut stream = TcpStream::connect(standby).expect("a server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let request = format!("GET /v1/events HTTP/1.1\r\nhost: test\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).expect("it is taken");
        stream
    };
    let read = |stream: &mut TcpStream, until: &str| {
        let (mut text, mut bytes) = (String::new(), [0; 4096]);
        while !text.contains(until) {
            match wire::read(stream, &mut bytes) {
                Ok(len @ 1..) => text.push_str(&String::from_utf8_lossy(&bytes[..len])),
                _ => return text,
            }
        }
        text
    };
    let mut before = stream("");
    read(&mut before, "retry: ");
    let job = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
    let submitted = ask(standby, "POST", "/v1/translations", job).expect("an answer");
    assert_eq!(submitted.status, 202);
    let told = read(&mut before, "translation.pending");
    let id = told.lines().find_map(|line| line.strip_prefix("id: "));
    let id = id.expect("an id").trim().to_owned();
    first.kill();
    assert!(!read(&mut before, "never").contains("never"));
    ready(standby);
    let mut after = stream(&format!("last-event-id: {id}\r\n"));
    let gap = read(&mut after, "stream.gap");
    assert!(gap.contains("stream.gap"), "{gap}");
    ask(standby, "POST", "/v1/translations", job).expect("an answer");
    let told = read(&mut after, "translation.pending");
    assert!(told.contains("translation.pending"), "{told}");
}

#[test]
fn a_worker_finishes_its_job_though_the_owner_is_killed_meanwhile() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    let (first, owner) = rig.serve("owner", &cluster.url(), LEASE, REMOTE);
    let (_second, standby) = rig.serve("standby", &cluster.url(), LEASE, REMOTE);
    let hearer = Hearer::new();
    let output = rig.log("output");
    let [begun, go] = ["begun", "go"].map(|name| rig.log(name));
    let exec = format!(
        r#"touch {}; while [ ! -e {} ]; do sleep 0.05; done; echo '{{"output_url":"https://v.test/es.mp4"}}'"#,
        begun.display(),
        go.display()
    );
    let _worker = Program::start(
        &[
            "work",
            "--server",
            &servers(&[owner, standby]),
            "--workers",
            "1",
            "--output",
            output.to_str().expect("a path"),
            "--exec",
            &exec,
        ],
        &rig.log("worker"),
    );
    let job = format!(
        r#"{{"video_url":"https://v.test/1.mp4","target_language":"es","callback_url":"{}"}}"#,
        hearer.url()
    );
    let submitted = ask(owner, "POST", "/v1/translations", &job).expect("an answer");
    assert_eq!(submitted.status, 202);
    let path = format!(
        "/v1/translations/{}",
        submitted.json()["id"].as_str().expect("an id")
    );
    let mut told = Vec::new();
    while !told
        .iter()
        .any(|(_, kind)| kind == "translation.processing")
    {
        let arrival = hearer.next();
        told.push((arrival.fields["webhook-id"].clone(), arrival.kind()));
    }
    wait_until("its program runs", || begun.exists());
    first.kill();
    // It ends when another one has the records.
    ready(standby);
    std::fs::write(&go, "").expect("a file");
    while !told.iter().any(|(_, kind)| kind == "translation.completed") {
        let arrival = hearer.next();
        told.push((arrival.fields["webhook-id"].clone(), arrival.kind()));
    }
    let job = get(standby, &path).json();
    assert_eq!(job["status"], "completed");
    assert_eq!(job["output_url"], "https://v.test/es.mp4");
    // An attempt more would have told of it. The same may be said twice, under the same id.
    let begun: BTreeSet<_> = told
        .iter()
        .filter(|(_, kind)| kind == "translation.processing")
        .collect();
    assert_eq!(begun.len(), 1, "{told:?}");
}

#[test]
fn the_command_line_and_the_client_ask_the_next_server() {
    let (cluster, rig) = (Cluster::new(&[]), Rig::new());
    // Nobody reaches it through the standby, which says 503.
    let hidden = [&["--advertise", "http://127.0.0.1:1"], QUICK].concat();
    let (_owner, owner) = rig.serve("owner", &cluster.url(), LONG, &hidden);
    let (_standby, standby) = rig.serve("standby", &cluster.url(), LONG, QUICK);
    let nobody: SocketAddr = ([127, 0, 0, 1], 1).into();
    let all = servers(&[nobody, standby, owner]);
    let listed = run(&["jobs", "--server", &all]);
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert_eq!(listed.status.code(), Some(0), "{said}");
    let only = run(&["jobs", "--server", &servers(&[nobody, standby])]);
    let said = String::from_utf8_lossy(&only.stderr).into_owned();
    assert!(said.contains("stands by"), "{said}");

    smol::block_on(async {
        let client = Client::new(format!("http://{nobody}"))
            .another_server(format!("http://{standby}"))
            .another_server(format!("http://{owner}"));
        let request = Request::new("https://v.test/1.mp4").to("es");
        let job = client.translate(request).await.expect("a job");
        let done = job.wait().await.expect("its end");
        assert_eq!(done.status.as_str(), "completed");
        client.close().await.expect("closed");
    });
    let jobs = get(owner, "/v1/translations").json();
    assert_eq!(jobs["data"].as_array().map(Vec::len), Some(1));
}
