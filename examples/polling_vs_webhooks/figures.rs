//! What is counted, and the table that shows it.

/// What one way of waiting came to.
#[derive(Debug)]
pub struct Figures {
    /// How the clients waited.
    pub way: String,
    /// How many jobs they waited for.
    pub jobs: usize,
    /// Requests that the server served, submissions aside.
    pub requests: u64,
    /// Those of them whose answer said nothing new.
    pub nothing_new: u64,
    /// Webhooks that the server sent.
    pub webhooks: u64,
    /// How long after a job's end its client knew, in milliseconds, one for each job.
    pub late_ms: Vec<f64>,
}

impl Figures {
    /// Starts counting.
    pub fn new(way: impl Into<String>, jobs: usize) -> Self {
        Self {
            way: way.into(),
            jobs,
            requests: 0,
            nothing_new: 0,
            webhooks: 0,
            late_ms: Vec::with_capacity(jobs),
        }
    }

    fn late(&mut self, share: f64) -> String {
        self.late_ms.sort_by(f64::total_cmp);
        let last = self.late_ms.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        match self.late_ms.get(place) {
            Some(ms) if *ms >= 100.0 => format!("{ms:.0} ms"),
            Some(ms) => format!("{ms:.1} ms"),
            None => "-".to_owned(),
        }
    }
}

/// Prints figures as a Markdown table.
pub fn print(title: &str, all: Vec<Figures>) {
    println!("\n{title}\n");
    println!(
        "| clients wait by | requests served per job | answers that said nothing new | webhooks sent per job | knew after the end, median | p99 |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for mut figures in all {
        let jobs = figures.jobs as f64;
        let nothing_new = match figures.requests {
            0 => "-".to_owned(),
            requests => format!(
                "{:.1} %",
                100.0 * figures.nothing_new as f64 / requests as f64
            ),
        };
        println!(
            "| {} | {:.2} | {nothing_new} | {:.2} | {} | {} |",
            figures.way,
            figures.requests as f64 / jobs,
            figures.webhooks as f64 / jobs,
            figures.late(0.5),
            figures.late(0.99),
        );
    }
}
