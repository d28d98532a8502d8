//! The same server and client as static tasks of `embassy-executor`, as firmware would have them: their memory and their
//! number are known before the program runs.
//!
//! `cargo run --example async_loop_embassy`, twice: the second time the server still knows the job.

use std::process;

use dubhook_core::client::{ClientStorage, Update};
use dubhook_examples::{
    async_host::{HostClock, Loopback},
    driver::ClientDriver,
    host::{Records, now},
};
use embassy_executor::{Spawner, task};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};
use static_cell::{ConstStaticCell, StaticCell};

mod scene;

type Server = scene::Serving<'static>;
type Client = ClientDriver<'static>;

static SERVER_STORAGE: ConstStaticCell<scene::Storage> =
    ConstStaticCell::new(scene::Storage::new());
static CLIENT_STORAGE: ConstStaticCell<ClientStorage<4>> =
    ConstStaticCell::new(ClientStorage::new());
static PLACES: StaticCell<[(Loopback, String); 2]> = StaticCell::new();
static SERVER: StaticCell<Server> = StaticCell::new();
static CLIENT: StaticCell<Client> = StaticCell::new();
static ENDED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

#[task]
async fn run(server: &'static Server, mut records: Records) {
    let error = server.run(&HostClock, &mut records).await;
    panic!("the server cannot go on: {error}");
}

#[task(pool_size = scene::CONNS)]
async fn serve(server: &'static Server, callers: &'static Loopback) {
    server.serve(&HostClock, callers).await;
}

#[task(pool_size = scene::ATTEMPTS)]
async fn deliver(server: &'static Server, network: &'static Loopback) {
    server.deliver(&HostClock, network).await;
}

#[task]
async fn translate(server: &'static Server) {
    server.translate(&HostClock).await;
}

#[task]
async fn listen(client: &'static Client, webhooks: &'static Loopback) {
    client.listen(&HostClock, webhooks, &tell).await;
}

#[task]
async fn ask(client: &'static Client, network: &'static Loopback) {
    let asked = client.ask(&HostClock, network, &tell).await;
    asked.expect("room for the longest request");
    // A device would go on; here the client's end is the program's.
    process::exit(0);
}

fn tell(update: &Update<'_>) {
    if scene::print(update) {
        ENDED.signal(());
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let records = scene::records().expect("records that can be read");
    let places = PLACES.init(scene::places().expect("two free ports"));
    let [(callers, url), (webhooks, webhook_url)] = places;
    let server = scene::server(SERVER_STORAGE.take(), &records).expect("records of a server");
    let server = SERVER.init(server);
    let client = scene::client(CLIENT_STORAGE.take(), url, webhook_url).expect("two good URLs");
    let client = CLIENT.init(client);
    client.submit(now(), &scene::WANTED).expect("room for it");

    spawner.spawn(run(server, records).unwrap());
    spawner.spawn(translate(server).unwrap());
    for _ in 0..scene::CONNS {
        spawner.spawn(serve(server, callers).unwrap());
    }
    for _ in 0..scene::ATTEMPTS {
        spawner.spawn(deliver(server, callers).unwrap());
    }
    spawner.spawn(listen(client, webhooks).unwrap());
    spawner.spawn(ask(client, callers).unwrap());
    ENDED.wait().await;
    client.close();
}
