//! What the runtime allocates for each request and each delivery once it is warm: nothing for a request, and for a delivery
//! the task that makes its attempt. The executor's queue of woken tasks grows by blocks, now and then.

use dubhook_smol::server::Server;
use dubhook_tests::{
    hooks::{NO_TIME, register, submit},
    wire::{Asker, Hearer},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Counts what the threads ask for that want to be counted.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    // A thread that is at its end has nothing to count by, and is not the server's.
    if IS_COUNTED.try_with(Cell::get).unwrap_or(false) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(memory, layout, bytes) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CALLS: usize = 500;
/// How often the executor's queue may grow: by a block whenever some thirty tasks have been woken.
const BLOCKS_MAX: usize = CALLS / 4;
/// For each delivery: the task of its attempt, and what it takes to wake others.
const DELIVERY_MAX: usize = 3;

/// How many allocations so many calls of `each` cost.
fn allocations(what: &str, mut each: impl FnMut()) -> usize {
    for _ in 0..CALLS / 4 {
        each();
    }
    let before = COUNT.load(Ordering::Relaxed);
    for _ in 0..CALLS {
        each();
    }
    let count = COUNT.load(Ordering::Relaxed) - before;
    println!("{what}: {count} for {CALLS}");
    count
}

#[test]
fn a_warm_server_allocates_nothing_for_a_request() {
    const PIPELINED: usize = 100;
    /// In how many pieces the bytes of so many requests may come.
    const PIECES_MAX: usize = 8;
    let server = Server::builder().listen("127.0.0.1:0").capacity(10_000);
    let server = server.simulate(NO_TIME).bind().expect("a port");
    let (address, stopper) = (server.address(), server.stopper());
    let running = thread::spawn(move || {
        IS_COUNTED.set(true);
        server.run_here(|| {}, std::future::pending::<std::convert::Infallible>())
    });
    let mut asker = Asker::new(address);
    let job = submit(&mut asker);
    for path in ["/status", &format!("/v1/translations/{job}")] {
        let one = format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
        let many = one.repeat(PIPELINED);
        // Were it the requests that take something, a hundred would take more than one.
        let alone = allocations(path, || {
            asker.send(one.as_bytes());
            assert_eq!(asker.answer("GET").status, 200);
        });
        let pipelined = allocations(path, || {
            asker.send(many.as_bytes());
            for _ in 0..PIPELINED {
                assert_eq!(asker.answer("GET").status, 200);
            }
        });
        assert!(alone <= BLOCKS_MAX, "{alone}");
        assert!(pipelined <= PIECES_MAX * BLOCKS_MAX, "{pipelined}");
    }
    let hearer = Hearer::new();
    register(&mut asker, &hearer.url());
    let delivered = allocations("a job and its delivery", || {
        submit(&mut asker);
        assert_eq!(hearer.next().kind(), "translation.completed");
    });
    assert!(delivered <= DELIVERY_MAX * CALLS, "{delivered}");
    stopper.finish();
    drop(asker);
    running.join().expect("no panic").expect("a good end");
}
