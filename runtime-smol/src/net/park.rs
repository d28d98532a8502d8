//! A thread that waits for its connections at first hand.
//!
//! Under any executor the epoll is one descriptor that the executor's reactor watches: to wait is to register it once
//! more, to set a timer of the operating system, to wait in the reactor's epoll and then to ask this one. A thread that
//! does nothing but serve waits here instead, in one system call, and no longer than until its alarm. What else may wake
//! it, another timer or a batch that was written, comes from another thread, which notifies it.

use super::{alarm::AT_ONCE, epoll::Net};
use rustix::{
    event::{EventfdFlags, epoll, eventfd},
    fd::OwnedFd,
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

/// Wakes a thread that waits in an epoll.
#[derive(Debug)]
struct Notify {
    fd: OwnedFd,
    notified: AtomicBool,
    /// Whether the thread may be waiting: only then is a system call worth it.
    waiting: AtomicBool,
}

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The thread says that it waits before it looks whether it was notified; in this order one of both is seen.
        if !self.notified.swap(true, Ordering::SeqCst) && self.waiting.load(Ordering::SeqCst) {
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
        let notify = Arc::new(Notify {
            fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            notified: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
        });
        // Edge-triggered: each notification is an edge, so the count need not be read.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(self.epoll(), &notify.fd, Self::NOBODY, flags)?;
        let _waiting = self.wait_here();
        let waker = Waker::from(Arc::clone(&notify));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        let mut events = Self::events();
        loop {
            notify.notified.store(false, Ordering::SeqCst);
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Ok(output);
            }
            let until_alarm = self.alarm().look();
            notify.waiting.store(true, Ordering::SeqCst);
            let notified = notify.notified.load(Ordering::SeqCst);
            let idle = self.idle_watch().is_awaited().then_some(self.idle_watch());
            let at_once = notified || idle.is_some();
            let wait = if at_once { Some(AT_ONCE) } else { until_alarm };
            self.wait(&mut events, wait.as_ref())?;
            notify.waiting.store(false, Ordering::SeqCst);
            self.tell(&events);
            if let Some(idle) = idle {
                idle.looked(notified || !events.is_empty());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Interest, tests::pair},
        *,
    };
    use async_io::Timer;
    use futures_lite::future;
    use smol::{LocalExecutor, unblock};
    use std::{
        cell::Cell,
        io::{Read, Write},
        time::{Duration, Instant},
    };

    #[test]
    fn idle_is_after_what_there_is_to_do_and_not_never() {
        let net = Net::new().unwrap();
        let (here, there) = pair();
        let (here, there) = (net.watch(here).unwrap(), net.watch(there).unwrap());
        let turns = Cell::new(0);
        let executor = LocalExecutor::new();
        let story = async {
            net.idle().await;
            let work = executor.spawn(async {
                for _ in 0..3 {
                    turns.set(turns.get() + 1);
                    future::yield_now().await;
                }
            });
            net.idle().await;
            assert_eq!(turns.get(), 3, "there was something to do");
            work.await;
            let busy = executor.spawn(async {
                loop {
                    assert_eq!(here.try_write(&[1]).unwrap(), Some(1));
                    while there.try_read(&mut [0; 8]).unwrap().is_none() {
                        there.ready(Interest::Read).await;
                    }
                }
            });
            // The thread always finds something, and comes here all the same.
            net.idle().await;
            busy.cancel().await;
        };
        net.block_on(executor.run(story)).unwrap();
    }

    #[test]
    fn an_alarm_rings_once_for_each_time_and_not_too_soon() {
        let net = Net::new().unwrap();
        assert!(!net.ring_at(Instant::now()), "nobody waits here yet");
        let alarm = || future::poll_fn(|cx| net.poll_alarm(cx));
        let story = async {
            for ms in [0, 1, 20] {
                let at = Instant::now() + Duration::from_millis(ms);
                assert!(net.ring_at(at + Duration::from_secs(1_000)));
                assert!(net.ring_at(at), "the last one counts");
                alarm().await;
                assert!(Instant::now() >= at);
                assert!(future::poll_once(alarm()).await.is_none());
            }
        };
        net.block_on(story).unwrap();
    }

    #[test]
    fn sockets_timers_threads_and_tasks_all_wake_the_thread() {
        const ROUNDS: usize = 500;
        let net = Net::new().unwrap();
        let executor = LocalExecutor::new();
        let (here, mut there) = pair();
        let here = net.watch(here).unwrap();
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
                    here.ready(Interest::Read).await;
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
