//! A cable between a server and its database that can be cut, or stay silent, at any byte.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::Duration,
};

/// What ends each question: the message Sync.
const SYNC: &[u8] = b"S\0\0\0\x04";

/// A cable. Connections through it share its state.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Where it begins.
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// How many bytes of questions pass before the connection is cut; none where it is negative.
    cut_after: AtomicI64,
    /// Whether connections through it end, and new ones too.
    cut: AtomicBool,
    /// Whether questions are held back.
    deaf: AtomicBool,
    /// Whether answers are held back.
    mute: AtomicBool,
    /// Of which statement the end is held back, and what comes behind it.
    torn: Mutex<Option<&'static str>>,
    /// Which statement is held back, and what comes behind it.
    held: Mutex<Option<&'static str>>,
    /// Whether one is held back.
    holds: AtomicBool,
    /// How many bytes of questions have passed.
    passed: AtomicI64,
}

impl Proxy {
    /// A cable to this port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If no port is free.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = Self {
            address: listener.local_addr().expect("an address"),
            state: Arc::new(State {
                cut_after: AtomicI64::new(-1),
                cut: AtomicBool::new(false),
                deaf: AtomicBool::new(false),
                mute: AtomicBool::new(false),
                torn: Mutex::new(None),
                held: Mutex::new(None),
                holds: AtomicBool::new(false),
                passed: AtomicI64::new(0),
            }),
        };
        let state = Arc::clone(&proxy.state);
        thread::spawn(move || {
            while let Ok((here, _)) = listener.accept() {
                if state.cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(there) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let ends = [here.try_clone(), there.try_clone()].map(|end| end.expect("a socket"));
                let (questions, answers) = (Arc::clone(&state), Arc::clone(&state));
                thread::spawn(move || {
                    pass(here, there, |bytes, there| questions.question(bytes, there))
                });
                let [here, there] = ends;
                thread::spawn(move || pass(there, here, |bytes, here| answers.answer(bytes, here)));
            }
        });
        proxy
    }

    /// The URL of a database behind it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.address)
    }

    /// Cuts the connection once so many bytes of questions have passed from now on. New connections pass.
    pub fn cut_after(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).expect("few");
        self.state.cut_after.store(bytes, Ordering::SeqCst);
    }

    /// Whether it has cut what it was told to.
    #[must_use]
    pub fn has_cut(&self) -> bool {
        self.state.cut_after.load(Ordering::SeqCst) < 0
    }

    /// How many bytes of questions have passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        usize::try_from(self.state.passed.load(Ordering::SeqCst)).unwrap_or(0)
    }

    /// Cuts all connections and refuses new ones, or lets them pass again.
    pub fn cut(&self, cut: bool) {
        self.state.cut.store(cut, Ordering::SeqCst);
    }

    /// Holds questions back, or lets them pass again.
    pub fn deafen(&self, deaf: bool) {
        self.state.deaf.store(deaf, Ordering::SeqCst);
    }

    /// Holds answers back, or lets them pass again.
    pub fn mute(&self, mute: bool) {
        self.state.mute.store(mute, Ordering::SeqCst);
    }

    /// Holds everything back in both directions, or lets it pass again.
    pub fn stall(&self, stall: bool) {
        self.deafen(stall);
        self.mute(stall);
    }

    /// Holds the end of each run of this statement back from now on, or lets it pass again.
    pub fn tear(&self, statement: Option<&'static str>) {
        *self.state.torn() = statement;
    }

    /// Holds each run of this statement back from now on, or lets it pass again.
    pub fn hold(&self, statement: Option<&'static str>) {
        *self.state.held() = statement;
    }

    /// Waits until one is held back.
    pub fn wait_until_it_holds(&self) {
        while !self.state.holds.load(Ordering::SeqCst) {
            thread::park_timeout(Duration::from_millis(2));
        }
    }
}

impl State {
    fn question(&self, bytes: &[u8], there: &mut TcpStream) -> Option<()> {
        self.wait(&self.deaf);
        if self.cut.load(Ordering::SeqCst) {
            return None;
        }
        let len = i64::try_from(bytes.len()).ok()?;
        let left = self.cut_after.load(Ordering::SeqCst);
        if (0..=len).contains(&left) {
            let left = usize::try_from(left).ok()?;
            there.write_all(&bytes[..left]).ok()?;
            self.cut_after.store(-1, Ordering::SeqCst);
            return None;
        }
        if left > 0 {
            self.cut_after.store(left - len, Ordering::SeqCst);
        }
        self.passed.fetch_add(len, Ordering::SeqCst);
        let held = *self.held();
        if held.is_some_and(|statement| runs(bytes, statement)) {
            self.holds.store(true, Ordering::SeqCst);
            while self.held().is_some() {
                thread::park_timeout(Duration::from_millis(2));
            }
        }
        let torn = *self.torn();
        if let Some(start) = bytes.strip_suffix(SYNC)
            && let Some(statement) = torn
            && runs(start, statement)
        {
            there.write_all(start).ok()?;
            while self.torn().is_some() {
                thread::park_timeout(Duration::from_millis(2));
            }
            return there.write_all(SYNC).ok();
        }
        there.write_all(bytes).ok()
    }

    fn answer(&self, bytes: &[u8], here: &mut TcpStream) -> Option<()> {
        self.wait(&self.mute);
        here.write_all(bytes).ok()
    }

    fn torn(&self) -> MutexGuard<'_, Option<&'static str>> {
        self.torn.lock().expect("nobody fails with it")
    }

    fn held(&self) -> MutexGuard<'_, Option<&'static str>> {
        self.held.lock().expect("nobody fails with it")
    }

    /// Waits while this is so.
    fn wait(&self, held: &AtomicBool) {
        while held.load(Ordering::SeqCst) {
            thread::park_timeout(Duration::from_millis(2));
        }
    }
}

/// Whether a question runs this statement: it names no portal, and then the statement.
fn runs(question: &[u8], statement: &str) -> bool {
    let named = [b"\0", statement.as_bytes(), b"\0"].concat();
    let head = &question[..question.len().min(5 + named.len())];
    question.first() == Some(&b'B') && head.ends_with(&named)
}

/// Passes bytes on until one end closes, or `each` says that it is cut.
fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    each: impl Fn(&[u8], &mut TcpStream) -> Option<()>,
) {
    let mut bytes = [0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut bytes) {
        if each(&bytes[..len], &mut to).is_none() {
            break;
        }
    }
    // Whoever is gone already need not be told.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
