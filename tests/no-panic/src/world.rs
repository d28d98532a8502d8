//! What gates take their arguments from: anything could be in it.

use dubhook_core::{
    client::{self, Client, ExchangeId, Receiver},
    http::{Limits, RequestParser, ResponseParser},
    id::{Id, Ix},
    record::{Keep, Key},
    server::{Config, ConnId, Ready, Server, ServerStorage},
    service::Attempt,
    signature::{Secret, SigningKey},
    simulate::Simulator,
    time::{Now, Timestamp},
};

/// Arguments of every kind.
#[expect(missing_debug_implementations, reason = "never printed")]
pub struct World<'a> {
    /// Bytes from outside.
    pub bytes: &'a mut [u8],
    /// Text from outside.
    pub text: &'a str,
    /// Room for output.
    pub room: &'a mut [u8],
    /// More room.
    pub more_room: &'a mut [u8],
    /// A number of one byte.
    pub byte: u8,
    /// A number.
    pub number: u64,
    /// A size.
    pub size: usize,
    /// A wide number.
    pub wide: u128,
    /// A yes or no.
    pub flag: bool,
    /// Entropy.
    pub seed: [u8; 32],
    /// The moment.
    pub now: Now,
    /// Another moment.
    pub timestamp: Timestamp,
    /// What messages may be like.
    pub http_limits: Limits,
    /// A request in whatever state.
    pub request: RequestParser,
    /// A response in whatever state.
    pub response: ResponseParser,
    /// A secret.
    pub secret: Secret,
    /// A key.
    pub key: SigningKey,
    /// A slot.
    pub ix: Ix,
    /// An id.
    pub id: Id,
    /// A record's name.
    pub record: Key,
    /// What is kept of a service.
    pub keep: Keep,
    /// An attempt.
    pub attempt: Attempt,
    /// A connection.
    pub conn: ConnId,
    /// How a server is set up.
    pub config: Config<'a>,
    /// A server's memory.
    pub memory: &'a mut ServerStorage<8, 4, 2, 4>,
    /// A server in whatever state.
    pub server: &'a mut Server<'a>,
    /// What a driver can take.
    pub ready: Ready,
    /// Simulated work in whatever state.
    pub simulation: &'a mut Simulator<'a>,
    /// A client's memory.
    pub client_memory: &'a mut client::ClientStorage<4>,
    /// A client in whatever state.
    pub client: &'a mut Client<'a>,
    /// A connection on which webhooks come in.
    pub receiver: Receiver,
    /// A request that a client has sent.
    pub exchange: ExchangeId,
}
