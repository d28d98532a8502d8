//! TCP connections over `smoltcp`, shaped for machines that take bytes in and give bytes out.
//!
//! A program has a fixed number of connections, each known by its index ([`Conn`]), each with a receive and
//! a transmit buffer in memory that the program owns. [`Net::poll`] moves frames; between two polls the
//! program looks at each connection's [`Phase`], [lends](Net::receive) what came in to its machine, and
//! lends the [room for output](Net::transmit) to it:
//!
//! ```text
//! loop {
//!     net.poll(now);
//!     for conn in net.conns() {
//!         match net.phase(conn) { … }                       // opened, ended by the peer, gone
//!         net.receive(conn, |bytes| machine takes some);
//!         net.transmit(conn, |room| machine writes some);
//!     }
//!     board.sleep();                                         // a frame or the next millisecond
//! }
//! ```
//!
//! Output is all or nothing for most machines, and the lent room is what lies in one piece: it can be
//! short where the ring buffer wraps. Nothing is lost by writing nothing then. Once the peer has
//! acknowledged all, the room is the whole transmit buffer, so a machine gets on if its largest piece of
//! output fits that.

use dubhook_core::{http::RecvBuf, random::Random, time::Instant};
use heapless::Vec;
use smoltcp::{
    iface::{Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet, SocketStorage},
    phy::Device,
    socket::tcp::{Socket, SocketBuffer, State},
    time::{Duration, Instant as SmolInstant},
    wire::{EthernetAddress, IpCidr, Ipv4Address, Ipv4Cidr},
};
use static_cell::StaticCell;

use crate::stellaris::Ethernet;

/// A peer that acknowledges nothing for this long is gone.
const SILENCE_MS_MAX: u64 = 20_000;
/// A connection that this side has closed and the peer has not is cut off after this long.
const LINGER_MS_MAX: u64 = 5_000;
/// Frames taken in by one poll, so that a flood of them cannot hold up the rest of the loop.
const FRAMES_PER_POLL_MAX: usize = 8;
/// The first of the ports that RFC 6335 section 6 sets aside for outgoing connections.
const LOCAL_PORT_FIRST: u16 = 49_152;

/// The network's whole memory: `CONNS` connections with `RX` and `TX` bytes of buffer each.
///
/// Meant to be a `static`: `ConstStaticCell<Memory<…>>` puts it into `.bss`, since all of it is zero while
/// it is empty.
#[derive(Debug)]
pub struct Memory<const CONNS: usize, const RX: usize, const TX: usize> {
    sockets: Vec<SocketStorage<'static>, CONNS>,
    slots: Vec<Slot, CONNS>,
    received: [[u8; RX]; CONNS],
    transmit: [[u8; TX]; CONNS],
}

impl<const CONNS: usize, const RX: usize, const TX: usize> Memory<CONNS, RX, TX> {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sockets: Vec::new(),
            slots: Vec::new(),
            received: [[0; RX]; CONNS],
            transmit: [[0; TX]; CONNS],
        }
    }
}

impl<const CONNS: usize, const RX: usize, const TX: usize> Default for Memory<CONNS, RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

/// One connection: an index into the program's fixed number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conn(pub u8);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing; it can listen or connect.
    Free,
    /// It waits for a peer.
    Listening,
    /// The handshake is under way, in either direction.
    Opening,
    /// Bytes can go both ways.
    Open,
    /// The peer has said that it sends no more, and all that it sent was taken. Output still goes out.
    PeerDone,
    /// This side has closed it, and the last bytes are on their way.
    Closing,
}

/// The address to have, and the way out of the local network.
#[derive(Debug, Clone, Copy)]
pub struct Address {
    /// The board's own address.
    pub own: Ipv4Address,
    /// Leading bits that all addresses of the local network share.
    pub prefix_bits: u8,
    /// The router.
    pub gateway: Ipv4Address,
}

impl Address {
    /// What QEMU's user network (`-netdev user`) expects; the host is the gateway.
    pub const QEMU_USER: Self = Self {
        own: Ipv4Address::new(10, 0, 2, 15),
        prefix_bits: 24,
        gateway: Ipv4Address::new(10, 0, 2, 2),
    };
}

/// The call does not fit what the connection is doing, or there is no such connection or address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

#[derive(Debug)]
struct Slot {
    handle: SocketHandle,
    close_by: Option<Instant>,
}

/// TCP over one network device.
pub struct Net<D: Device> {
    device: D,
    interface: Interface,
    sockets: SocketSet<'static>,
    slots: &'static mut [Slot],
    local_port: u16,
    now: Instant,
}

impl Net<Ethernet> {
    /// Puts a network over the board's Ethernet controller, as QEMU's user network expects it, in the static where it stays.
    // On its own, so that what is large on its way into the static leaves the stack again.
    #[inline(never)]
    pub fn start<const CONNS: usize, const RX: usize, const TX: usize>(
        place: &'static StaticCell<Self>,
        ethernet: Ethernet,
        memory: &'static mut Memory<CONNS, RX, TX>,
        random: &mut Random,
        now: Instant,
    ) -> &'static mut Self {
        let hardware = ethernet.address();
        place.init_with(|| Self::new(ethernet, hardware, Address::QEMU_USER, memory, random, now))
    }
}

impl<D: Device> Net<D> {
    /// Puts a network with `address` over `device`. `random` chooses sequence numbers and the first port.
    #[must_use]
    pub fn new<const CONNS: usize, const RX: usize, const TX: usize>(
        mut device: D,
        hardware: EthernetAddress,
        address: Address,
        memory: &'static mut Memory<CONNS, RX, TX>,
        random: &mut Random,
        now: Instant,
    ) -> Self {
        const {
            assert!(
                CONNS <= u8::MAX as usize,
                "a connection's index is one byte"
            )
        };
        let mut config = Config::new(hardware.into());
        config.random_seed = random.u64();
        let mut interface = Interface::new(config, &mut device, smol(now));
        interface.update_ip_addrs(|own| {
            let _ = own.push(IpCidr::Ipv4(Ipv4Cidr::new(
                address.own,
                address.prefix_bits,
            )));
        });
        let _ = interface
            .routes_mut()
            .add_default_ipv4_route(address.gateway);

        // Pushing fails when all places are taken, which is when there is nothing left to do.
        while memory.sockets.push(SocketStorage::EMPTY).is_ok() {}
        let mut sockets = SocketSet::new(&mut memory.sockets[..]);
        let buffers = memory.received.iter_mut().zip(&mut memory.transmit);
        for (received, transmit) in buffers {
            let handle = sockets.add(new_socket(received, transmit));
            let _ = memory.slots.push(Slot {
                handle,
                close_by: None,
            });
        }
        Self {
            device,
            interface,
            sockets,
            slots: &mut memory.slots,
            local_port: LOCAL_PORT_FIRST + random.below(16_384) as u16,
            now,
        }
    }

    /// All connections.
    pub fn conns(&self) -> impl Iterator<Item = Conn> + use<D> {
        (0..self.slots.len() as u8).map(Conn)
    }

    /// Takes frames in and sends what is due; some bounded work, so call it again soon.
    pub fn poll(&mut self, now: Instant) {
        self.now = now;
        let at = smol(now);
        self.interface.poll_maintenance(at);
        for _ in 0..FRAMES_PER_POLL_MAX {
            let result =
                self.interface
                    .poll_ingress_single(at, &mut self.device, &mut self.sockets);
            if result == PollIngressSingleResult::None {
                break;
            }
        }
        self.end_lingering();
        self.interface
            .poll_egress(at, &mut self.device, &mut self.sockets);
    }

    /// What `conn` is doing; a connection that does not exist is [`Phase::Free`].
    #[must_use]
    pub fn phase(&self, conn: Conn) -> Phase {
        let Some(handle) = self.handle(conn) else {
            return Phase::Free;
        };
        let socket = self.sockets.get::<Socket<'_>>(handle);
        match socket.state() {
            // Both sides have closed it. That late copies of its segments may still come by is no reason
            // to keep one of so few connections for it: they are answered with a reset.
            State::Closed | State::TimeWait => Phase::Free,
            State::Listen => Phase::Listening,
            State::SynSent | State::SynReceived => Phase::Opening,
            State::Established => Phase::Open,
            State::CloseWait if socket.can_recv() => Phase::Open,
            State::CloseWait => Phase::PeerDone,
            State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck => Phase::Closing,
        }
    }

    /// Waits for a peer on `port`. Several connections may wait on the same port, and each takes one.
    ///
    /// # Errors
    ///
    /// [`Refused`] unless `conn` is [`Phase::Free`].
    pub fn listen(&mut self, conn: Conn, port: u16) -> Result<(), Refused> {
        self.free_socket(conn)?.listen(port).map_err(|_| Refused)
    }

    /// Starts to connect to `port` at `peer`; [`Phase::Opening`] until that has come to something.
    ///
    /// # Errors
    ///
    /// [`Refused`] unless `conn` is [`Phase::Free`], or if there is no way to `peer`.
    pub fn connect(&mut self, conn: Conn, peer: Ipv4Address, port: u16) -> Result<(), Refused> {
        // A new port each time: the peer may still remember the one before.
        self.local_port = self.local_port.checked_add(1).unwrap_or(LOCAL_PORT_FIRST);
        self.free_socket(conn)?;
        let handle = self.handle(conn).ok_or(Refused)?;
        self.sockets
            .get_mut::<Socket<'_>>(handle)
            .connect(self.interface.context(), (peer, port), self.local_port)
            .map_err(|_| Refused)
    }

    /// Lends what came in over `conn` to `take`, which returns how many bytes of it it took.
    ///
    /// Returns that number; 0 without a call if there is nothing.
    pub fn receive(&mut self, conn: Conn, take: impl FnOnce(&[u8]) -> usize) -> usize {
        self.socket(conn)
            .filter(|socket| socket.can_recv())
            .and_then(|socket| {
                socket
                    .recv(|bytes| {
                        let taken = take(bytes).min(bytes.len());
                        (taken, taken)
                    })
                    .ok()
            })
            .unwrap_or(0)
    }

    /// Moves what came in over `conn` into `input`, as far as there is room for it there.
    ///
    /// Returns how many bytes that were.
    pub fn receive_into(&mut self, conn: Conn, input: &mut RecvBuf<'_>) -> usize {
        let taken = self.receive(conn, |bytes| {
            let room = input.room();
            for (to, from) in room.iter_mut().zip(bytes) {
                *to = *from;
            }
            room.len().min(bytes.len())
        });
        input.commit(taken);
        taken
    }

    /// Lends room for output over `conn` to `write`, which returns how many bytes of it it filled.
    ///
    /// Returns that number; 0 without a call if there is no room, or the connection is not open.
    pub fn transmit(&mut self, conn: Conn, write: impl FnOnce(&mut [u8]) -> usize) -> usize {
        self.socket(conn)
            .filter(|socket| socket.can_send())
            .and_then(|socket| {
                socket
                    .send(|room| {
                        let written = write(room).min(room.len());
                        (written, written)
                    })
                    .ok()
            })
            .unwrap_or(0)
    }

    /// Closes `conn` once the output written so far is out. It is [`Phase::Free`] when the peer has closed
    /// it too, or after some seconds without that.
    pub fn close(&mut self, conn: Conn) {
        let close_by = self.now.after_ms(LINGER_MS_MAX);
        if let Some(socket) = self.socket(conn) {
            socket.close();
        }
        if let Some(slot) = self.slots.get_mut(usize::from(conn.0)) {
            slot.close_by = Some(close_by);
        }
    }

    /// Cuts `conn` off: output that is not out is lost, and the peer is told with a reset.
    pub fn abort(&mut self, conn: Conn) {
        if let Some(socket) = self.socket(conn) {
            socket.abort();
        }
    }

    fn handle(&self, conn: Conn) -> Option<SocketHandle> {
        Some(self.slots.get(usize::from(conn.0))?.handle)
    }

    fn socket(&mut self, conn: Conn) -> Option<&mut Socket<'static>> {
        let handle = self.handle(conn)?;
        Some(self.sockets.get_mut(handle))
    }

    /// The socket of a connection that is to begin anew.
    fn free_socket(&mut self, conn: Conn) -> Result<&mut Socket<'static>, Refused> {
        if self.phase(conn) != Phase::Free {
            return Err(Refused);
        }
        let slot = self.slots.get_mut(usize::from(conn.0)).ok_or(Refused)?;
        slot.close_by = None;
        let socket = self.socket(conn).ok_or(Refused)?;
        socket.abort();
        Ok(socket)
    }

    fn end_lingering(&mut self) {
        for conn in self.conns() {
            let slot = self.slots.get_mut(usize::from(conn.0));
            let due = slot.and_then(|slot| slot.close_by.take_if(|at| *at <= self.now));
            if due.is_some() && self.phase(conn) == Phase::Closing {
                self.abort(conn);
            }
        }
    }
}

fn new_socket(received: &'static mut [u8], transmit: &'static mut [u8]) -> Socket<'static> {
    let mut socket = Socket::new(SocketBuffer::new(received), SocketBuffer::new(transmit));
    socket.set_timeout(Some(Duration::from_millis(SILENCE_MS_MAX)));
    // Messages are written whole, so there is nothing to gather by waiting.
    socket.set_nagle_enabled(false);
    socket
}

fn smol(now: Instant) -> SmolInstant {
    SmolInstant::from_millis(now.as_ms() as i64)
}
