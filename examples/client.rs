//! The library as a client: submits a translation and is told of its end.
//!
//! `cargo run --example client -- https://example.com/video.mp4 es`, beside a `dubhook serve`.

use dubhook_smol::client::{Client, Error, Request};

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let video = args
        .next()
        .unwrap_or("https://example.com/video.mp4".into());
    let language = args.next().unwrap_or("es".into());
    smol::block_on(async {
        let client = Client::new("http://127.0.0.1:8000").webhook("localhost", 3120);
        client.register_webhook().await?;
        let job = client.translate(Request::new(video).to(language)).await?;
        let done = job.wait().await?;
        println!(
            "{}: {:?} {:?}",
            done.status.as_str(),
            done.output_url,
            done.error
        );
        client.close().await
    })
}
