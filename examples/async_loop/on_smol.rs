//! A server and a client as tasks of smol's executor: a job is submitted, and its webhooks come in.
//!
//! `cargo run --example async_loop_smol`, twice: the second time the server still knows the job.

use std::error::Error;

use dubhook_core::client::{ClientStorage, Update};
use dubhook_examples::{async_host::HostClock, host::now};
use embassy_sync::{blocking_mutex::raw::NoopRawMutex, signal::Signal};
use smol::LocalExecutor;

mod scene;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut records, mut storage) = (scene::records()?, scene::Storage::new());
    let [(callers, url), (webhooks, webhook_url)] = scene::places()?;
    let server = scene::server(&mut storage, &records)?;
    let mut storage = ClientStorage::new();
    let client = scene::client(&mut storage, &url, &webhook_url)?;
    client.submit(now(), &scene::WANTED)?;

    let (clock, ended) = (HostClock, Signal::<NoopRawMutex, ()>::new());
    let tell = |update: &Update<'_>| {
        if scene::print(update) {
            ended.signal(());
        }
    };
    let executor = LocalExecutor::new();
    let running = executor.spawn(async {
        let error = server.run(&clock, &mut records).await;
        panic!("the server cannot go on: {error}");
    });
    running.detach();
    executor.spawn(server.translate(&clock)).detach();
    for _ in 0..scene::CONNS {
        executor.spawn(server.serve(&clock, &callers)).detach();
    }
    for _ in 0..scene::ATTEMPTS {
        executor.spawn(server.deliver(&clock, &callers)).detach();
    }
    let hearing = executor.spawn(client.listen(&clock, &webhooks, &tell));
    smol::block_on(executor.run(async {
        let asking = executor.spawn(client.ask(&clock, &callers, &tell));
        ended.wait().await;
        client.close();
        asking.await
    }))?;
    drop(hearing);
    Ok(())
}
