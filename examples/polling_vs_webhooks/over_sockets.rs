//! The comparison over real sockets: a server with a thread of its own, and clients on loopback with a kept connection
//! each.

use crate::{
    asked::{translation, webhook},
    figures::Figures,
};
use dubhook_core::{
    http::{
        BodyUse, Limits, Method, Progress, RecvBuf, RequestParser, ResponseParser, ResponseProgress,
    },
    json,
    simulate::Settings,
    time::Timestamp,
};
use dubhook_smol::server::Server;
use smol::{
    LocalExecutor, Timer,
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use std::{
    cell::RefCell,
    io,
    rc::Rc,
    time::{Duration, SystemTime},
};

/// The jobs come in over this time.
const ARRIVALS: Duration = Duration::from_secs(1);
const SETTINGS: Settings = Settings {
    shortest_ms: 2_000,
    longest_ms: 6_000,
    steps: 1,
    ..Settings::STANDARD
};

/// Runs `jobs` clients: asking every `every` time, or told by webhook.
pub(crate) fn run(jobs: usize, every: Option<Duration>, way: &str) -> io::Result<Figures> {
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .capacity(jobs * 2)
        .simulate(SETTINGS)
        .bind()
        .map_err(io::Error::other)?
        .start()
        .map_err(io::Error::other)?;
    let address = server.address().to_string();
    let figures = Rc::new(RefCell::new(Figures::new(way, jobs)));
    let executor = Rc::new(LocalExecutor::new());
    let counted = Rc::clone(&figures);
    smol::block_on(executor.run(async {
        if every.is_none() {
            let hooks = TcpListener::bind("127.0.0.1:0").await?;
            let hook = webhook(&format!("http://{}/", hooks.local_addr()?));
            let mut caller = Caller::connect(&address).await?;
            caller.call("POST", "/v1/webhooks", &hook).await?;
            counted.borrow_mut().requests += 1;
            let inner = Rc::clone(&executor);
            let counted = Rc::clone(&counted);
            executor
                .spawn(async move { receive(hooks, &inner, &counted).await })
                .detach();
        }
        let clients: Vec<_> = (0..jobs)
            .map(|client| {
                let start = ARRIVALS * client as u32 / jobs as u32;
                let (address, counted) = (address.clone(), Rc::clone(&counted));
                executor.spawn(async move {
                    Timer::after(start).await;
                    wait_for_one(&address, every, &counted).await
                })
            })
            .collect();
        for client in clients {
            client.await?;
        }
        while counted.borrow().late_ms.len() < jobs {
            Timer::after(Duration::from_millis(20)).await;
        }
        io::Result::Ok(())
    }))?;
    server.stop().map_err(io::Error::other)?;
    Ok(figures.replace(Figures::new(way, jobs)))
}

/// One client: submits a job and, where it is to ask, asks until it has ended.
async fn wait_for_one(
    address: &str,
    every: Option<Duration>,
    figures: &RefCell<Figures>,
) -> io::Result<()> {
    let mut caller = Caller::connect(address).await?;
    let accepted = caller
        .call("POST", "/v1/translations", &translation())
        .await?;
    let Some(every) = every else {
        return Ok(());
    };
    let path = format!("/v1/translations/{}", member(&accepted, "id")?);
    let mut seen = member(&accepted, "status")?;
    loop {
        Timer::after(every).await;
        let job = caller.call("GET", &path, "").await?;
        let status = member(&job, "status")?;
        figures.borrow_mut().requests += 1;
        if status == seen {
            figures.borrow_mut().nothing_new += 1;
        }
        if matches!(status.as_str(), "completed" | "error") {
            figures.borrow_mut().late_ms.push(late(&job)?);
            return Ok(());
        }
        seen = status;
    }
}

/// Takes webhooks, on as many connections as the server opens.
async fn receive(
    hooks: TcpListener,
    executor: &Rc<LocalExecutor<'static>>,
    figures: &Rc<RefCell<Figures>>,
) -> io::Result<()> {
    loop {
        let (mut stream, _) = hooks.accept().await?;
        let figures = Rc::clone(figures);
        executor
            .spawn(async move {
                let (mut bytes, mut filled) = (vec![0; 8_192], 0..0);
                let mut parser = RequestParser::new();
                loop {
                    let mut input = RecvBuf::resume(&mut bytes, filled);
                    let progress = parser
                        .advance(&Limits::SERVER, &mut input)
                        .map_err(|refusal| io::Error::other(refusal.as_str()))?;
                    if progress == Progress::Complete {
                        if let Some(request) = parser.request(input.filled()) {
                            let event = String::from_utf8_lossy(request.body);
                            let (_, job) = event.split_once("\"data\":").unwrap_or(("", "{}"));
                            let late = late(&job[..job.len() - 1])?;
                            figures.borrow_mut().late_ms.push(late);
                            figures.borrow_mut().webhooks += 1;
                        }
                        parser.finish(&mut input);
                        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
                    } else {
                        let count = stream.read(input.room()).await?;
                        if count == 0 {
                            return io::Result::Ok(());
                        }
                        input.commit(count);
                    }
                    filled = input.filled_range();
                }
            })
            .detach();
    }
}

/// A connection to the server.
struct Caller {
    stream: TcpStream,
    host: String,
}

impl Caller {
    async fn connect(address: &str) -> io::Result<Self> {
        Ok(Self {
            stream: TcpStream::connect(address).await?,
            host: address.to_owned(),
        })
    }

    /// Makes a request and returns the body of its answer.
    async fn call(&mut self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let (host, length) = (&self.host, body.len());
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{kind}content-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut bytes = vec![0; 8_192];
        let mut input = RecvBuf::new(&mut bytes, 0);
        let mut parser = ResponseParser::new(Method::Get, BodyUse::Keep);
        loop {
            let count = self.stream.read(input.room()).await?;
            input.commit(count);
            let progress = parser
                .advance(&Limits::SERVER, &mut input)
                .map_err(|error| io::Error::other(error.as_str()))?;
            if progress == ResponseProgress::Complete
                && let Some(response) = parser.response(input.filled())
            {
                return Ok(String::from_utf8_lossy(response.body).into_owned());
            }
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// How long ago the last change of a job was, in milliseconds. Server and clients have one clock here.
fn late(job: &str) -> io::Result<f64> {
    let at = Timestamp::parse_rfc3339(member(job, "updated_at")?.as_bytes());
    let at = at.ok_or_else(|| io::Error::other("no time"))?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(io::Error::other)?;
    Ok((now.as_secs_f64() * 1_000.0 - at.as_unix_ms() as f64).max(0.0))
}

/// A string that a job's JSON has.
fn member(job: &str, name: &str) -> io::Result<String> {
    let object =
        json::object(job.as_bytes()).map_err(|error| io::Error::other(error.kind.as_str()))?;
    match object.get(name) {
        Ok(Some(json::Value::String(text))) => {
            Ok(String::from_utf8(text.bytes().collect()).unwrap_or_default())
        }
        _ => Err(io::Error::other(format!("no {name} in {job}"))),
    }
}
