//! `demo`: a server, a client with a webhook and a simulated job in one process, told as it happens.

use super::{
    fail::Fail,
    show::{self, Paint},
};
use clap::Args;
use dubhook_core::{job::Status, simulate::Settings};
use dubhook_smol::{
    client::{Client, Event, Request},
    clock::Clock,
    server::{Handle, Server},
};
use futures_lite::StreamExt;

/// How long the job takes, in milliseconds.
const JOB_MS: u64 = 1_500;

#[derive(Debug, Args)]
pub(super) struct Demo {}

/// Tells what happens, and when.
#[derive(Debug)]
struct Story {
    clock: Clock,
    paint: Paint,
}

impl Demo {
    pub(super) fn run(&self) -> Result<(), Fail> {
        let paint = Paint::stdout();
        let story = Story {
            clock: Clock::start(),
            paint,
        };
        show::print_line(&format!(
            "{}\n{}\n",
            paint.bold("A video is to be translated, and nobody polls."),
            paint.dim("Seconds, who, and what happens, over real sockets. The translating itself is simulated.")
        ))?;
        let server = serve()?;
        story.tell("server", &format!("listens on {}", server.url()))?;
        async_io::block_on(story.run(&server.url()))?;
        server
            .stop()
            .map_err(|error| Fail::NotDone(error.to_string()))?;
        story.tell("server", "has stopped")?;
        Ok(show::print_line(&format!(
            "\n{}  dubhook serve · dubhook listen · dubhook translate VIDEO --to es --wait",
            paint.dim("The same in three terminals:")
        ))?)
    }
}

fn serve() -> Result<Handle, Fail> {
    let settings = Settings {
        shortest_ms: JOB_MS,
        longest_ms: JOB_MS,
        errors_ppm: 0,
        steps: 4,
    };
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .capacity(100)
        .simulate(settings)
        .bind();
    let server = server.map_err(|error| Fail::NotDone(error.to_string()))?;
    server
        .start()
        .map_err(|error| Fail::NotDone(error.to_string()))
}

impl Story {
    async fn run(&self, url: &str) -> Result<(), Fail> {
        let client = Client::new(url).webhook("localhost", 0);
        let mut events = client.events();
        client.register_webhook().await?;
        let url = client.webhook_url().unwrap_or_default();
        self.tell("client", &format!("has registered its webhook {url}"))?;
        let request = Request::new("https://example.com/talk.mp4").to("es");
        let job = client.translate(request).await?;
        self.tell(
            "client",
            &format!("has asked for a translation: 202, {}", job.id()),
        )?;
        self.ask(&client, "this once").await?;
        let mut told = 0;
        while let Some(event) = events.next().await {
            told += u32::from(event.by_webhook);
            self.tell_event(&event)?;
            if event.translation.has_ended() {
                break;
            }
        }
        let done = job.wait().await?;
        self.ask(&client, "to be sure").await?;
        client.close().await?;
        self.tell(
            "client",
            &format!("was told {told} times, and has removed its webhook"),
        )?;
        if done.status == Status::Completed {
            return Ok(());
        }
        Err(Fail::NotDone(format!(
            "the job ended as {}",
            done.status.as_str()
        )))
    }

    async fn ask(&self, client: &Client, why: &str) -> Result<(), Fail> {
        let status = client.status().await?;
        let status = self
            .paint
            .status(status.map_or("unknown", |status| status.as_str()));
        self.tell("client", &format!("asks GET /status, {why}: {status}"))
    }

    fn tell_event(&self, event: &Event) -> Result<(), Fail> {
        let job = &event.translation;
        let kind = event.kind.as_str();
        let how = if event.by_webhook {
            "signature verified"
        } else {
            "by asking"
        };
        // Padded before it is painted: colours have no width.
        let kind = format!("{kind:<22}").replace(kind, &self.paint.status(kind));
        let how = self.paint.dim(&format!("no. {}, {how}", job.sequence));
        self.tell("webhook", &format!("{kind}  {:>3} %  {how}", job.progress))?;
        if let Some(output) = &job.output_url {
            self.tell(
                "client",
                &format!("has its result: {}", self.paint.bold(output)),
            )?;
        }
        Ok(())
    }

    fn tell(&self, who: &str, what: &str) -> Result<(), Fail> {
        let ms = self.clock.now().instant.as_ms();
        let at = format!("{:>3}.{:03}", ms / 1_000, ms % 1_000);
        let label = format!("{who:<8}");
        let who = match who {
            "server" => self.paint.cyan(&label),
            "client" => self.paint.yellow(&label),
            _ => self.paint.green(&label),
        };
        Ok(show::print_line(&format!(
            "{}  {who} {what}",
            self.paint.dim(&at)
        ))?)
    }
}
