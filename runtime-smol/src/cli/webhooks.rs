//! `webhooks …`: registered endpoints.

use super::{
    api::{self, Api},
    fail::Fail,
    remote::Remote,
    show::{self, member},
};
use clap::{Args, Subcommand};
use dubhook_core::http::Method;

#[derive(Debug, Subcommand)]
pub(super) enum Webhooks {
    /// Register a webhook; shows its secret, this once
    Add(Add),
    /// List registered webhooks, newest first
    List(List),
    /// Remove a webhook, and all that it is owed
    Remove(One),
    /// Send to a disabled webhook again
    Enable(One),
    /// Send a `webhook.test` event
    Test(One),
    /// Give it a new secret; the old one signs too for a day
    Rotate(One),
    /// Show its newest attempts
    Attempts(One),
    /// Send again what was given up
    Redeliver(Redeliver),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Where deliveries go
    url: String,
    /// Which events it gets: names with a comma between, `translation.*` or `*`
    #[arg(long, value_delimiter = ',', default_value = "*")]
    events: Vec<String>,
    /// Only the events of this job
    #[arg(long)]
    job: Option<String>,
    /// What tells it from others
    #[arg(long)]
    description: Option<String>,
    /// The secret to sign with; one is made where none is given
    #[arg(long, value_name = "whsec_…")]
    secret: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The webhook
    webhook: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
pub(super) struct Redeliver {
    /// The webhook
    webhook: String,
    /// Only events at this time or later, like 2026-11-24T09:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only this event, by its `webhook-id`
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Webhooks {
    pub(super) fn run(&self) -> Result<(), Fail> {
        match self {
            Self::Add(add) => add.run(),
            Self::List(list) => list.run(),
            Self::Remove(one) => {
                one.call(Method::Delete, "", "")?;
                if !one.remote.json {
                    show::print_line("removed")?;
                }
                Ok(())
            }
            Self::Enable(one) => {
                let body = api::body(|json| {
                    json.name("enabled").bool(true);
                });
                one.show(Method::Patch, "", &body)
            }
            Self::Test(one) => one.show(Method::Post, "/test", ""),
            Self::Rotate(one) => one.show(Method::Post, "/rotate-secret", ""),
            Self::Attempts(one) => one.attempts(),
            Self::Redeliver(redeliver) => redeliver.run(),
        }
    }
}

impl Add {
    fn run(&self) -> Result<(), Fail> {
        let body = api::body(|json| {
            json.name("url").string(&self.url).name("events").array();
            for event in &self.events {
                json.string(event);
            }
            json.end_array();
            let rest = [
                ("job", &self.job),
                ("description", &self.description),
                ("secret", &self.secret),
            ];
            for (name, value) in rest {
                if let Some(value) = value {
                    json.name(name).string(value);
                }
            }
        });
        let answer = Api::new(&self.remote)?.call(Method::Post, "/v1/webhooks", &body)?;
        self.remote.show(&answer)
    }
}

impl List {
    fn run(&self) -> Result<(), Fail> {
        let api = Api::new(&self.remote)?;
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = api.get(&format!("/v1/webhooks?limit=100{cursor}"))?;
            if self.remote.json {
                show::print_json(&page)?;
            }
            let page = api::object(&page)?;
            rows.extend(api::items(&page).iter().map(|endpoint| {
                let state = match member(endpoint, "disabled_reason") {
                    why if why.is_empty() => "enabled".to_owned(),
                    why => format!("disabled: {why}"),
                };
                let [id, url, events] = ["id", "url", "events"].map(|name| member(endpoint, name));
                vec![id, url, events, state]
            }));
            match member(&page, "next_cursor").as_str() {
                "" => break,
                next => cursor = format!("&cursor={next}"),
            }
        }
        if self.remote.json {
            return Ok(());
        }
        Ok(show::print_table(
            &["WEBHOOK", "URL", "EVENTS", "STATE"],
            &rows,
        )?)
    }
}

impl One {
    fn call(&self, method: Method, action: &str, body: &str) -> Result<Vec<u8>, Fail> {
        let path = format!("/v1/webhooks/{}{action}", api::id(&self.webhook, "ep_")?);
        Api::new(&self.remote)?.call(method, &path, body)
    }

    fn show(&self, method: Method, action: &str, body: &str) -> Result<(), Fail> {
        self.remote.show(&self.call(method, action, body)?)
    }

    fn attempts(&self) -> Result<(), Fail> {
        let answer = self.call(Method::Get, "/attempts", "")?;
        if self.remote.json {
            return Ok(show::print_json(&answer)?);
        }
        let list = api::object(&answer)?;
        let rows: Vec<_> = api::items(&list)
            .iter()
            .map(|line| {
                ["at", "type", "attempt", "status", "duration_ms", "error"]
                    .map(|name| member(line, name))
                    .to_vec()
            })
            .collect();
        let headings = ["AT", "EVENT", "ATTEMPT", "STATUS", "MS", "ERROR"];
        Ok(show::print_table(&headings, &rows)?)
    }
}

impl Redeliver {
    fn run(&self) -> Result<(), Fail> {
        let body = api::body(|json| {
            if let Some(since) = &self.since {
                json.name("since").string(since);
            }
            if let Some(event) = &self.event {
                json.name("event").string(event);
            }
        });
        let path = format!("/v1/webhooks/{}/redeliver", api::id(&self.webhook, "ep_")?);
        let answer = Api::new(&self.remote)?.call(Method::Post, &path, &body)?;
        self.remote.show(&answer)
    }
}
