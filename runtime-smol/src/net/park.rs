//! A thread that waits for its connections at first hand.
//!
//! Under any executor the epoll is one descriptor that the executor's reactor watches: to wait is to register it once
//! more, to set a timer of the operating system, to wait in the reactor's epoll and then to ask this one. A thread that
//! does nothing but serve waits here instead, in one system call. What else may wake it, a timer or a batch that was
//! written, comes from another thread, which rings a bell.

use super::epoll::Net;
use rustix::{
    event::{EventfdFlags, epoll, eventfd},
    fd::OwnedFd,
    time::Timespec,
};
use std::{
    io,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Not to wait at all.
pub(super) const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// Wakes a thread that waits in an epoll.
#[derive(Debug)]
struct Bell {
    fd: OwnedFd,
    rung: AtomicBool,
    /// Whether the thread may be waiting: only then is a system call worth it.
    waiting: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The thread says that it waits before it looks whether it was rung for; in this order one of both is seen.
        if !self.rung.swap(true, Ordering::SeqCst) && self.waiting.load(Ordering::SeqCst) {
            // It fails only where the count is full, and then the thread is called already.
            let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
        }
    }
}

impl Net {
    /// Runs a future on this thread, which waits in the epoll and nowhere else meanwhile.
    ///
    /// # Errors
    ///
    /// Where the operating system has no descriptor left, or fails to tell.
    pub fn block_on<T>(self: &Rc<Self>, future: impl Future<Output = T>) -> io::Result<T> {
        let bell = Arc::new(Bell {
            fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            rung: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
        });
        // Edge-triggered: each ring is an edge, so the count need not be read.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(self.epoll(), &bell.fd, Self::NOBODY, flags)?;
        let _waiting = self.wait_here();
        let waker = Waker::from(Arc::clone(&bell));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        let mut events = Self::events();
        loop {
            bell.rung.store(false, Ordering::SeqCst);
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Ok(output);
            }
            bell.waiting.store(true, Ordering::SeqCst);
            let rung = bell.rung.load(Ordering::SeqCst);
            self.wait(&mut events, rung.then_some(&AT_ONCE))?;
            bell.waiting.store(false, Ordering::SeqCst);
            self.tell(&events);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::{LocalExecutor, Timer, future, unblock};
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        time::Duration,
    };

    #[test]
    fn sockets_timers_threads_and_tasks_all_wake_the_thread() {
        const ROUNDS: usize = 500;
        let net = Net::new().unwrap();
        let executor = LocalExecutor::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let here = net.watch(listener.accept().unwrap().0).unwrap();
        let echo = std::thread::spawn(move || {
            let mut byte = [0];
            while there.read(&mut byte).unwrap() == 1 {
                there.write_all(&byte).unwrap();
            }
        });
        // As a server does it where it does not know who waits: here it must do nothing.
        let run = executor.spawn(net.run());
        let talk = async {
            for round in 0..ROUNDS {
                assert_eq!(here.try_write(&[round as u8]).unwrap(), Some(1));
                let mut byte = [0];
                while here.try_read(&mut byte).unwrap().is_none() {
                    here.ready(super::super::Interest::Read).await;
                }
                assert_eq!(byte, [round as u8]);
                assert_eq!(unblock(move || round).await, round);
                executor.spawn(future::yield_now()).await;
            }
            Timer::after(Duration::from_millis(1)).await;
        };
        net.block_on(executor.run(talk)).unwrap();
        drop((run, here));
        echo.join().unwrap();
    }
}
