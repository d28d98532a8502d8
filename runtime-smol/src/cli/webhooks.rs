//! `webhooks …`: registered endpoints.

use super::{
    api::{self, Api},
    fail::Fail,
    pages,
    remote::Remote,
    show,
};
use clap::{Args, Subcommand};
use dubhook_core::{
    http::Method,
    model::{Attempt, Attempts, NewWebhook, Redelivery, Sensitive, Webhook, WebhookChange},
};

#[derive(Debug, Subcommand)]
pub(super) enum Webhooks {
    /// Register a webhook; shows its secret, this once
    Add(Add),
    /// List registered webhooks, newest first
    List(List),
    /// Remove a webhook, and all that it is owed
    Remove(One),
    /// Send to a webhook again that is disabled, or that pauses
    Enable(One),
    /// Send a `webhook.test` event
    Test(One),
    /// Give it a new secret; the old one signs too for a day
    Rotate(One),
    /// Show its newest attempts
    Attempts(One),
    /// Send again, now, what was given up or is held back
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
                let change = WebhookChange::<&str> {
                    enabled: Some(true),
                    ..WebhookChange::NONE
                };
                one.show(Method::Patch, "", &api::body(&change))
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
        let body = api::body(&NewWebhook {
            events: Some(&self.events),
            description: self.description.as_ref(),
            secret: self.secret.as_ref().map(Sensitive::new),
            job: self.job.as_ref(),
            ..NewWebhook::new(&self.url)
        });
        let answer = Api::new(&self.remote)?.call(Method::Post, "/v1/webhooks", &body)?;
        self.remote.show(&answer)
    }
}

impl List {
    fn run(&self) -> Result<(), Fail> {
        let headings = ["WEBHOOK", "URL", "EVENTS", "STATE"];
        pages::show(
            &self.remote,
            "/v1/webhooks?",
            usize::MAX,
            &headings,
            |webhook: &Webhook<String>| {
                let events: Vec<_> = webhook.events.names().collect();
                vec![
                    webhook.name().as_str().to_owned(),
                    show::plain(&webhook.url),
                    events.join(", "),
                    state(webhook),
                ]
            },
        )
    }
}

/// How a webhook is: whether anything is sent to it, and if not until when and why.
fn state(webhook: &Webhook<String>) -> String {
    if let Some(why) = webhook
        .disabled_reason
        .as_deref()
        .filter(|why| !why.is_empty())
    {
        return format!("disabled: {}", show::plain(why));
    }
    match webhook.paused_until {
        Some(until) => {
            let why = webhook.paused_reason.as_deref().unwrap_or_default();
            format!("paused until {}: {}", until.text(), show::plain(why))
        }
        None => "enabled".to_owned(),
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
        let attempts: Attempts<Vec<Attempt<String>>> = api::read(&answer)?;
        let rows: Vec<_> = attempts
            .data
            .iter()
            .map(|attempt| {
                let status = attempt.status.map(|status| status.to_string());
                vec![
                    attempt.at.text().as_str().to_owned(),
                    attempt.kind.as_str().to_owned(),
                    attempt.attempt.to_string(),
                    status.unwrap_or_default(),
                    attempt.duration_ms.to_string(),
                    show::plain(attempt.error.as_deref().unwrap_or_default()),
                ]
            })
            .collect();
        let headings = ["AT", "EVENT", "ATTEMPT", "STATUS", "MS", "ERROR"];
        Ok(show::print_table(&headings, &rows)?)
    }
}

impl Redeliver {
    fn run(&self) -> Result<(), Fail> {
        let body = api::body(&Redelivery {
            since: self.since.as_ref(),
            event: self.event.as_ref(),
        });
        let path = format!("/v1/webhooks/{}/redeliver", api::id(&self.webhook, "ep_")?);
        let answer = Api::new(&self.remote)?.call(Method::Post, &path, &body)?;
        self.remote.show(&answer)
    }
}
