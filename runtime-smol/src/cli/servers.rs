//! The servers that a command may ask: the one that answered last first, and the others in their turn.

use super::{
    exchange::{Ask, Pouring, exchange, exchange_for, pour},
    fail::Fail,
};
use dubhook_core::{
    client,
    http::{Method, Response},
    url::Url,
};
use dubhook_smol::{
    exchange::{LinkError, stands_by},
    tls::Trust,
};
use std::{cell::Cell, io};

/// No server's URL is longer.
const URL_BYTES_MAX: usize = 2_048;

/// Nor is one that a server gives out; it may carry a proof and a token.
const GIVEN_URL_BYTES_MAX: usize = 16 * 1_024;

/// Servers with the same records; one at least.
#[derive(Debug)]
pub(super) struct Servers {
    urls: Vec<String>,
    trust: Trust,
    /// Which one is asked first.
    at: Cell<usize>,
}

impl Servers {
    /// Those that the arguments name.
    pub(super) fn new(urls: &[String], trust: Trust) -> Result<Self, Fail> {
        for url in urls {
            client::Server::parse(url)
                .map_err(|error| Fail::Usage(format!("--server {url}: {}", error.as_str())))?;
        }
        if urls.is_empty() {
            return Err(Fail::Usage("--server names no server".to_owned()));
        }
        Ok(Self {
            urls: urls.to_vec(),
            trust,
            at: Cell::new(0),
        })
    }

    /// The URL of the one that is asked first, without a slash at its end.
    pub(super) fn first(&self) -> &str {
        let url = self.urls.get(self.at.get()).map_or("", String::as_str);
        url.trim_end_matches('/')
    }

    /// Moves a part of a file to who is named by what is asked for, or from him: what `read` makes of the answer.
    pub(super) async fn transfer<T>(
        &self,
        ask: Ask<'_>,
        read: impl FnOnce(&Response<'_>) -> T,
    ) -> Result<T, Fail> {
        let (url, ask, name) = self.reach(ask)?;
        let moved = exchange_for(&url, &self.trust, ask, read).await;
        moved.map_err(|error| unreachable(name, error))
    }

    /// Gets something that may be long from who is named by what is asked for: see [`pour`].
    pub(super) async fn pour<T>(
        &self,
        ask: Ask<'_>,
        pouring: Pouring<impl FnOnce(&Response<'_>) -> bool, impl FnMut(&[u8]) -> io::Result<()>>,
        read: impl FnOnce(&Response<'_>) -> T,
    ) -> Result<Option<T>, Fail> {
        let (url, ask, name) = self.reach(ask)?;
        let poured = pour(&url, &self.trust, ask, pouring, read).await;
        poured.map_err(|error| unreachable(name, error))
    }

    /// Who is asked: of a path the server that answered last; of a URL that says all somebody whom the server has named, such as an
    /// object store, who is sent no key. And what he is called: what such a URL says is nobody's business but for its host.
    fn reach<'a>(&'a self, ask: Ask<'a>) -> Result<(Url<'a>, Ask<'a>, &'a str), Fail> {
        if ask.target.starts_with('/') {
            let url = Url::parse(self.first(), URL_BYTES_MAX);
            let url = url.map_err(|error| Fail::Usage(error.as_str().to_owned()))?;
            return Ok((url, ask, self.first()));
        }
        let url = Url::parse(ask.target, GIVEN_URL_BYTES_MAX).map_err(|error| {
            let why = error.as_str();
            Fail::NotDone(format!("the server names a URL that is none: {why}"))
        })?;
        let ask = Ask {
            target: url.path_and_query(),
            api_key: None,
            ..ask
        };
        Ok((url, ask, url.host_text()))
    }

    /// Asks one after the other until one has an answer of its own. Where none has, what the last one said.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<(u16, Vec<u8>), Fail> {
        let mut last = None;
        for count in 0..self.urls.len() {
            let at = (self.at.get() + count) % self.urls.len();
            let url = self.urls.get(at).map_or("", String::as_str);
            let answered = match Url::parse(url.trim_end_matches('/'), URL_BYTES_MAX) {
                Ok(url) => exchange(&url, &self.trust, ask).await,
                Err(error) => {
                    let error = io::Error::new(io::ErrorKind::InvalidInput, error.as_str());
                    Err(LinkError::Connect(error))
                }
            };
            let goes_on = match &answered {
                Ok((status, body)) => stands_by(*status, body),
                Err(LinkError::Connect(_)) => true,
                // It may have done what was asked.
                Err(_) => is_repeatable(&ask),
            };
            if !goes_on {
                self.at.set(at);
            }
            let answered = answered.map_err(|error| Fail::Unreachable {
                server: url.to_owned(),
                error: error.into(),
            });
            if !goes_on {
                return answered;
            }
            // A server that said something knows more than one that is not there.
            if last.is_none() || answered.is_ok() {
                last = Some(answered);
            }
        }
        last.unwrap_or_else(|| Err(Fail::Usage("--server names no server".to_owned())))
    }
}

/// That somebody does not answer.
fn unreachable(name: &str, error: LinkError) -> Fail {
    Fail::Unreachable {
        server: name.to_owned(),
        error: error.into(),
    }
}

/// Whether a call may be made again though nobody knows what became of it. What a worker says, it may say twice, and a job
/// that it was given without hearing of it comes back.
fn is_repeatable(ask: &Ask<'_>) -> bool {
    ask.method != Method::Post || ask.target.starts_with("/v1/work/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exchange::PATIENCE;
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    /// What a server says to whatever it is asked.
    #[derive(Clone, Copy)]
    enum Says {
        Status(u16, &'static str),
        /// It hangs up without an answer.
        Nothing,
        /// Nobody listens there.
        Refuses,
    }

    use Says::{Nothing, Refuses, Status};

    const STANDS_BY: Says = Status(503, "stands_by");
    const FULL: Says = Status(503, "capacity");

    /// The URL of a server that says this. It holds its callers to their `Host`.
    fn server(says: Says) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let url = format!("http://{address}");
        if matches!(says, Refuses) {
            return url;
        }
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                    head.push(byte[0]);
                }
                let Status(mut status, code) = says else {
                    continue;
                };
                let host = format!("\r\nhost: {address}\r\n");
                if !String::from_utf8_lossy(&head).contains(&host) {
                    status = 421;
                }
                let body = format!(r#"{{"status":{status},"code":"{code}"}}"#);
                let answer = format!(
                    "HTTP/1.1 {status} Told\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        url
    }

    /// Whose answer it was (the status of it), and which one would be asked first then.
    fn asked(method: Method, target: &str, say: &[Says]) -> (Option<u16>, usize) {
        let urls: Vec<String> = say.iter().map(|says| server(*says)).collect();
        let servers = Servers::new(&urls, Trust::platform()).unwrap();
        let ask = Ask {
            method,
            target,
            body: b"",
            fields: &[],
            api_key: None,
            patience: PATIENCE,
        };
        let answered = smol::block_on(servers.ask(ask));
        (answered.ok().map(|(status, _)| status), servers.at.get())
    }

    #[test]
    fn the_next_one_is_asked_where_one_stands_by_or_is_not_there() {
        let jobs = "/v1/translations";
        for (method, target, say, expected) in [
            (
                Method::Post,
                jobs,
                &[Status(202, ""), Refuses][..],
                (Some(202), 0),
            ),
            (
                Method::Post,
                jobs,
                &[STANDS_BY, Refuses, Status(202, "")],
                (Some(202), 2),
            ),
            // An owner that is full is the owner.
            (Method::Post, jobs, &[FULL, Status(202, "")], (Some(503), 0)),
            (
                Method::Get,
                jobs,
                &[STANDS_BY, FULL, Status(200, "")],
                (Some(503), 1),
            ),
            // It may have done what was asked.
            (Method::Post, jobs, &[Nothing, Status(202, "")], (None, 0)),
            (
                Method::Post,
                "/v1/work/claim",
                &[Nothing, Status(204, "")],
                (Some(204), 1),
            ),
            (
                Method::Get,
                jobs,
                &[Nothing, Status(200, "")],
                (Some(200), 1),
            ),
            // Nobody has the records: what a server said is more than that another is not there.
            (
                Method::Get,
                jobs,
                &[Refuses, STANDS_BY, Refuses],
                (Some(503), 0),
            ),
            (Method::Get, jobs, &[Refuses, Refuses], (None, 0)),
        ] {
            let found = asked(method, target, say);
            assert_eq!(found, expected, "{method:?} {target}");
        }
    }

    #[test]
    fn one_server_at_least_is_named_and_each_is_one() {
        let named = |urls: &[&str]| {
            let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
            Servers::new(&urls, Trust::platform()).map(|servers| servers.first().to_owned())
        };
        assert!(named(&[]).is_err() && named(&["http://a.test", "a.test"]).is_err());
        assert_eq!(
            named(&["http://a.test/", "http://b.test"]).unwrap(),
            "http://a.test"
        );
    }
}
