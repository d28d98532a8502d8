//! The server machine in a bare loop over `smoltcp`, without an operating system's sockets.
//!
//! `cargo run --example smoltcp_loop` has a client on the same (looped back) network ask once. On a board,
//! `examples/firmware` does the same with several connections, deliveries and a flash.

use dubhook_core::{
    http::RecvBuf,
    out::Out,
    record::Keep,
    server::{Config, ConnId, Drive, Ready, Server, ServerStorage},
    time::{Instant, Now, Timestamp},
};
use smoltcp::{
    iface::{self, Interface, SocketSet},
    phy::{Loopback, Medium},
    socket::tcp::{Socket, SocketBuffer},
    time::Instant as NetInstant,
    wire::{HardwareAddress, IpAddress, IpCidr},
};

const PORT: u16 = 80;
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: here\r\n\r\n";

/// A connection: which one it is to the server, and what it has received.
struct Conn {
    id: Option<ConnId>,
    received: [u8; 1_536],
    len: usize,
}

impl Conn {
    /// One turn: bytes in, the machine's turn, bytes out. Never waits.
    fn turn(&mut self, now: Now, socket: &mut Socket<'_>, server: &mut Server<'_>) {
        if !socket.is_open() {
            if let Some(id) = self.id.take() {
                server.close(id);
            }
            self.len = 0;
            let _ = socket.listen(PORT);
        }
        if !socket.may_send() {
            return;
        }
        self.id = self.id.or_else(|| server.accept(now).ok());
        let Some(id) = self.id else {
            return socket.abort();
        };
        let mut input = RecvBuf::new(&mut self.received, self.len);
        if socket.can_recv() {
            let taken = socket.recv_slice(input.room()).unwrap_or(0);
            input.commit(taken);
        }
        let mut next = Drive::Flush;
        let _ = socket.send(|room| {
            let mut out = Out::new(room);
            // Too little room takes nothing: there is enough, at the latest, when all before is acknowledged.
            if let Ok(driven) = server.drive(now, id, &mut input, &mut out) {
                next = driven;
            }
            (out.len(), ())
        });
        // To the front, where the next turn looks for it.
        let _ = input.room();
        self.len = input.len();
        if !matches!(next, Drive::Input { .. } | Drive::Flush | Drive::Wait) || !socket.may_recv() {
            socket.close();
        }
    }
}

fn socket() -> Socket<'static> {
    let buffer = || SocketBuffer::new(vec![0; 8_192]);
    Socket::new(buffer(), buffer())
}

fn main() {
    let mut device = Loopback::new(Medium::Ip);
    let config = iface::Config::new(HardwareAddress::Ip);
    let mut interface = Interface::new(config, &mut device, NetInstant::ZERO);
    let address = IpAddress::v4(127, 0, 0, 1);
    interface.update_ip_addrs(|own| own.push(IpCidr::new(address, 8)).expect("room for one"));
    let mut sockets = SocketSet::new(vec![]);
    let (serving, asking) = (sockets.add(socket()), sockets.add(socket()));
    let client = sockets.get_mut::<Socket<'_>>(asking);
    let connected = client.connect(interface.context(), (address, PORT), 50_000);
    connected.expect("a route");

    let mut memory = Box::new(ServerStorage::<8, 4, 1, 4>::new());
    let mut server = Server::new(memory.lend(Keep::Nothing), Config::DEVICE, [7; 32]).unwrap();
    let mut conn = Conn {
        id: None,
        received: [0; 1_536],
        len: 0,
    };
    let mut asked = false;
    // The clock is ours to turn; a board would sleep until the next millisecond or frame.
    for ms in 0..1_000 {
        let now = Now {
            instant: Instant::from_ms(ms),
            timestamp: Timestamp::from_unix_ms(1_795_510_800_000 + ms),
        };
        let at = NetInstant::from_millis(ms as i64);
        interface.poll(at, &mut device, &mut sockets);
        // Nothing is kept and nothing is translated here: what is due is done, and every connection has its turn below.
        let _ = server.poll(now, Ready::CONNS, &mut []);
        conn.turn(now, sockets.get_mut(serving), &mut server);

        let client = sockets.get_mut::<Socket<'_>>(asking);
        if client.can_send() && !asked {
            asked = client.send_slice(REQUEST).is_ok();
        }
        if client.can_recv() {
            let mut answer = [0; 1_024];
            let len = client.recv_slice(&mut answer).expect("it can");
            println!("{}", String::from_utf8_lossy(&answer[..len]));
            assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
            return;
        }
    }
    panic!("no answer within a second");
}
