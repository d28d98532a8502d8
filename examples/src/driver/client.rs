//! The client's tasks.

use core::cell::RefCell;

use dubhook_core::{
    client::{
        ANSWER_BYTES_MAX, Client, CommandError, Drive, Exchange, Failure, Input, Output, PollError,
        Receiver, Update,
    },
    http::{BodyUse, Limits, RecvBuf, ResponseParser, ResponseProgress},
    model::NewTranslation,
    out::Out,
    time::Now,
};
use embassy_futures::select::select;
use embassy_sync::{blocking_mutex::raw::NoopRawMutex, signal::Signal};
use embedded_io_async::{Read, Write};

use super::{Clock, Network, before, until};

/// Room for the longest request: what a client of a device asks.
const REQUEST_BYTES: usize = 1_024;
/// Room for the longest answer and for the longest webhook: those of a server within the limits of a device.
const MESSAGE_BYTES: usize = 2_560;

/// A client, and what its tasks have in common.
pub struct ClientDriver<'a> {
    client: RefCell<Client<'a>>,
    /// Something has gone into the machine.
    changed: Signal<NoopRawMutex, ()>,
}

impl<'a> ClientDriver<'a> {
    /// Drives a machine that was not started yet.
    #[must_use]
    pub fn new(client: Client<'a>) -> Self {
        Self {
            client: RefCell::new(client),
            changed: Signal::new(),
        }
    }

    /// Asks the server for a translation.
    ///
    /// # Errors
    ///
    /// [`CommandError`] says why it is not asked.
    pub fn submit(&self, now: Now, new: &NewTranslation<&str>) -> Result<(), CommandError> {
        self.changed.signal(());
        self.client.borrow_mut().submit(now, new)
    }

    /// Begins the client's end: it has the server forget its webhook, and then [`ask`](Self::ask) ends.
    pub fn close(&self) {
        self.client.borrow_mut().close();
        self.changed.signal(());
    }

    /// Asks the server what is to be asked, and hands on what it learns, until the client has ended. One task.
    ///
    /// # Errors
    ///
    /// Where the machine wants more memory than there is here.
    pub async fn ask(
        &self,
        clock: &impl Clock,
        network: &impl Network,
        tell: &impl Fn(&Update<'_>),
    ) -> Result<(), PollError> {
        self.client.borrow_mut().start(clock.now());
        let mut request = [0; REQUEST_BYTES];
        loop {
            let mut out = Out::new(&mut request);
            let output = self.client.borrow_mut().poll(clock.now(), &mut out)?;
            match output {
                Output::Send(exchange) => {
                    let exchanged = self.exchange(clock, network, exchange, out.written(), tell);
                    // An answer that is late the machine gives up by itself.
                    let _ = before(clock, exchange.deadline, exchanged).await;
                }
                Output::Abandon { update, .. } => tell(&update),
                Output::Sleep(deadline) => {
                    let moment = deadline.map(|deadline| deadline.at);
                    select(self.changed.wait(), until(clock, moment)).await;
                }
                Output::Closed => return Ok(()),
            }
        }
    }

    /// Sends a request, and tells the machine what came of it.
    async fn exchange(
        &self,
        clock: &impl Clock,
        network: &impl Network,
        exchange: Exchange,
        request: &[u8],
        tell: &impl Fn(&Update<'_>),
    ) {
        let mut memory = [0; MESSAGE_BYTES];
        let mut buffer = RecvBuf::new(&mut memory, 0);
        let answered = self.answer(network, exchange, request, &mut buffer).await;
        let response = answered.and_then(|parser| {
            let response = parser.response(buffer.filled());
            response.ok_or(Failure::Broken)
        });
        let id = exchange.id;
        let input = match &response {
            Ok(response) => Input::Answer { id, response },
            Err(failure) => Input::Failure {
                id,
                failure: *failure,
            },
        };
        let update = self.client.borrow_mut().handle(clock.now(), input);
        if let Ok(Some(update)) = &update {
            tell(update);
        }
    }

    async fn answer(
        &self,
        network: &impl Network,
        exchange: Exchange,
        request: &[u8],
        input: &mut RecvBuf<'_>,
    ) -> Result<ResponseParser, Failure> {
        let url = *self.client.borrow().config().server.url();
        let connected = network.connect(&url, |_| true).await;
        let mut socket = connected.map_err(|_| Failure::Unreachable)?;
        socket
            .write_all(request)
            .await
            .map_err(|_| Failure::Broken)?;
        let mut parser = ResponseParser::new(exchange.call.method(), BodyUse::Keep);
        loop {
            match parser.advance(&Limits::SERVER, input) {
                Ok(ResponseProgress::Complete) => return Ok(parser),
                Ok(ResponseProgress::NeedMore { .. }) => {}
                Err(_) => return Err(Failure::Unreadable),
            }
            match socket.read(input.room()).await {
                Ok(0) | Err(_) => {
                    return parser.eof().map(|()| parser).map_err(|_| Failure::Broken);
                }
                Ok(len) => input.commit(len),
            }
        }
    }

    /// Is told by the server, on one connection after the other, and hands on what is news. As many tasks as the server has
    /// attempts to make at a time do well; one will do.
    pub async fn listen(
        &self,
        clock: &impl Clock,
        network: &impl Network,
        tell: &impl Fn(&Update<'_>),
    ) {
        while let Some(socket) = network.accept().await {
            let receiver = self.client.borrow().accept(clock.now());
            self.receive(clock, receiver, socket, tell).await;
        }
    }

    async fn receive(
        &self,
        clock: &impl Clock,
        mut conn: Receiver,
        mut socket: impl Read + Write,
        tell: &impl Fn(&Update<'_>),
    ) {
        let (mut received, mut answer) = ([0; MESSAGE_BYTES], [0; ANSWER_BYTES_MAX]);
        let mut input = RecvBuf::new(&mut received, 0);
        loop {
            let mut out = Out::new(&mut answer);
            let driven =
                self.client
                    .borrow_mut()
                    .drive(clock.now(), &mut conn, &mut input, &mut out);
            let more = match driven {
                Ok(Drive::Input { .. }) => true,
                Ok(Drive::Answered { update, .. }) => {
                    // What was told is handed on before it is acknowledged.
                    if let Some(update) = &update {
                        tell(update);
                    }
                    self.changed.signal(());
                    false
                }
                Ok(Drive::Flush) => false,
                Ok(Drive::Close) | Err(_) => return,
            };
            let sent = before(clock, conn.deadline(), socket.write_all(out.written())).await;
            let Some(Ok(())) = sent else {
                return;
            };
            if more {
                match before(clock, conn.deadline(), socket.read(input.room())).await {
                    None | Some(Ok(0) | Err(_)) => return,
                    Some(Ok(len)) => input.commit(len),
                }
            }
        }
    }
}
