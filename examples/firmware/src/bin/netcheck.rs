//! Checks the board and its network before anything else is put upon it: echoes what is sent to port 7,
//! and sends a line to a peer on the host and waits for it to come back.
//!
//! Settings: `seed=TEXT peer=PORT loss=PERCENT`. Ends well once the peer has echoed the line and 3 others
//! have been served.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use dubhook_firmware::{
    board::{self, Board},
    host::{self, Settings},
    net::{Address, Conn, Memory, Net, Phase},
    stellaris::Ethernet,
};
use static_cell::ConstStaticCell;

const ECHO_PORT: u16 = 7;
const SERVED_MIN: u32 = 3;
const LINE: &[u8] = b"hello from the board\n";
/// Connects to the peer; all others listen.
const OUTGOING: Conn = Conn(0);

static MEMORY: ConstStaticCell<Memory<3, 1_024, 1_024>> = ConstStaticCell::new(Memory::new());

#[entry]
fn main() -> ! {
    let settings = Settings::read();
    let Some((mut board, mut ethernet)) = Board::take() else {
        host::exit(false);
    };
    let mut random = board::chance(&settings, &mut ethernet);
    let address = ethernet.address();
    let now = board.now().instant;
    let memory = MEMORY.take();
    let mut net = Net::new(
        ethernet,
        address,
        Address::QEMU_USER,
        memory,
        &mut random,
        now,
    );
    let peer = settings.get("peer").and_then(|text| text.parse().ok());
    let Some(peer) = peer else {
        host::line(|out| out.put(b"netcheck: the setting peer=PORT is missing"));
        host::exit(false);
    };
    host::line(|out| out.put(b"netcheck: ready"));

    let mut talk = Talk::Ask;
    let mut served = 0;
    let mut settled = false;
    while talk != Talk::Done || served < SERVED_MIN || !settled {
        net.poll(board.now().instant);
        talk = talk.step(&mut net, OUTGOING, peer);
        settled = true;
        for conn in net.conns().filter(|conn| *conn != OUTGOING) {
            served += u32::from(echo(&mut net, conn));
            settled &= net.phase(conn) == Phase::Listening;
        }
        board.set_lamp(talk == Talk::Done);
        board.sleep();
    }
    host::line(|out| {
        out.put(b"netcheck: done after ms ");
        out.put_u64(board.now().instant.as_ms());
        out.put(b", stack bytes ");
        out.put_u64(board::stack_bytes_max() as u64);
        out.put(b", lamp ");
        out.put_u64(board.lamp().into());
    });
    host::exit(true)
}

/// Gives back what comes in; true once a peer has gone.
fn echo(net: &mut Net<Ethernet>, conn: Conn) -> bool {
    match net.phase(conn) {
        Phase::Free => net.listen(conn, ECHO_PORT).is_err(),
        Phase::Open => {
            let mut piece = [0u8; 256];
            let mut len = 0;
            // Only looked at first: as much is taken as could be given back.
            net.receive(conn, |bytes| {
                len = copy(bytes, &mut piece);
                0
            });
            let bytes = piece.get(..len).unwrap_or(&[]);
            let sent = net.transmit(conn, |room| copy(bytes, room));
            net.receive(conn, |_| sent);
            false
        }
        Phase::PeerDone => {
            net.close(conn);
            true
        }
        Phase::Listening | Phase::Opening | Phase::Closing => false,
    }
}

/// The conversation with the peer on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Talk {
    Ask,
    Wait,
    Done,
}

impl Talk {
    /// Sends the line over `conn` and waits for it to come back, from the start again if it breaks off.
    fn step(self, net: &mut Net<Ethernet>, conn: Conn, port: u16) -> Self {
        match (self, net.phase(conn)) {
            (Self::Ask | Self::Wait, Phase::Free) => {
                let _ = net.connect(conn, Address::QEMU_USER.gateway, port);
                Self::Ask
            }
            (Self::Ask, Phase::Open) => {
                net.transmit(conn, |room| copy(LINE, room));
                Self::Wait
            }
            (Self::Wait, Phase::Open) => {
                let mut whole = false;
                net.receive(conn, |bytes| {
                    whole = bytes == LINE;
                    0
                });
                if whole {
                    net.close(conn);
                    return Self::Done;
                }
                Self::Wait
            }
            (_, Phase::PeerDone) => {
                net.close(conn);
                self
            }
            _ => self,
        }
    }
}

/// Copies as much as fits, and says how much that was.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
    len
}
