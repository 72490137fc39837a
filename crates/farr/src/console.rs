//! What people and schedulers get to see: bars, lines, or JSON.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use farr_job::{
    CheckOutcome, CohortOutcome, Error, Event, Failure, IngestOutcome, Observer, PartOutcome,
    RunOutcome, RunStatus,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::arguments::Log;

/// Where messages go, and in which form.
pub(crate) struct Console {
    form: Form,
    bar: Mutex<Option<ProgressBar>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Quiet,
    Bars,
    Lines,
    Json,
}

impl Console {
    pub(crate) fn new(log: Log, quiet: bool) -> Self {
        let form = match log {
            Log::Json => Form::Json,
            Log::Plain if quiet => Form::Quiet,
            Log::Plain if std::io::stderr().is_terminal() => Form::Bars,
            Log::Plain => Form::Lines,
        };
        Self { form, bar: Mutex::new(None) }
    }

    /// What was asked for.
    pub(crate) fn text(&self, text: &str) {
        self.clear();
        print_all(&format!("{}\n", text.trim_end()));
    }

    /// Work that ended well, and what it says of itself.
    pub(crate) fn did(&self, summary: &str) {
        let summary = summary.trim_end();
        match self.form {
            Form::Json => self.ended("", &json!({ "status": "done", "summary": summary })),
            Form::Quiet | Form::Bars | Form::Lines => self.text(summary),
        }
    }

    /// What checks found.
    pub(crate) fn checked(&self, outcome: &CheckOutcome) {
        match self.form {
            Form::Json => print_all(&outcome.json_lines()),
            Form::Quiet | Form::Bars | Form::Lines => self.text(&outcome.text()),
        }
    }

    /// A run that ended well.
    pub(crate) fn ran(&self, outcome: &RunOutcome) {
        let last = json!({
            "status": outcome.status,
            "run_id": outcome.run_id,
            "job_hash": outcome.job_hash,
            "report": outcome.report,
        });
        self.ended(&outcome.summary, &last);
    }

    /// An ingest that ended well.
    pub(crate) fn ingested(&self, outcome: &IngestOutcome) {
        let last = json!({
            "status": outcome.status,
            "run_id": outcome.run_id,
            "records": outcome.records,
        });
        self.ended(&outcome.summary, &last);
    }

    /// A part of a job that ended well.
    pub(crate) fn part(&self, outcome: &PartOutcome) {
        self.ended(&outcome.summary, &json!({ "status": outcome.status }));
    }

    /// Records that were joined of parts.
    pub(crate) fn merged(&self, run_id: &str, records: &str, status: RunStatus) {
        let last = json!({ "status": status, "run_id": run_id, "records": records });
        let next = "for the reports: farr run --shard I/N for each of N parts, then farr merge";
        self.ended(&format!("records: {records}\n{next}"), &last);
    }

    /// Definitions that were run, or some of them.
    pub(crate) fn cohorts_run(&self, outcome: &CohortOutcome) {
        if self.form != Form::Json {
            return self.text(&outcome.summary);
        }
        let status = if outcome.refused.is_empty() { "done" } else { "done_in_part" };
        let last = json!({
            "status": status,
            "definitions": outcome.run,
            "concepts": outcome.concepts,
            "refused": outcome.refused,
            "columns": outcome.columns,
            "seconds": outcome.seconds,
        });
        print_all(&format!("{last}\n"));
    }

    fn ended(&self, summary: &str, last: &serde_json::Value) {
        match self.form {
            Form::Json => print_all(&format!("{last}\n")),
            Form::Quiet => {}
            Form::Bars | Form::Lines => self.text(summary),
        }
    }

    /// A failure, with its causes.
    pub(crate) fn failed(&self, error: &Error) {
        self.clear();
        let failure = error.failure();
        if self.form == Form::Json {
            let last = json!({
                "status": "failed",
                "failure": failure,
                "exit_code": failure.exit_code(),
                "message": error.to_string(),
            });
            print_all(&format!("{last}\n"));
        } else {
            eprintln!("error ({failure}): {error}");
        }
    }

    /// A mistake in farr.
    pub(crate) fn crashed(&self) {
        self.clear();
        let failure = Failure::Internal;
        let message = "farr made a mistake; please report what it printed";
        if self.form == Form::Json {
            let last = json!({
                "status": "failed",
                "failure": failure,
                "exit_code": failure.exit_code(),
                "message": message,
            });
            print_all(&format!("{last}\n"));
        } else {
            eprintln!("error ({failure}): {message}");
        }
    }

    fn clear(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Writes to standard output; a closed pipe is the reader's choice.
fn print_all(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A stage that ended, in a line.
fn finished(event: &Event) -> String {
    let Event::Finished { stage, seconds, peak_memory, figures, summary } = event else {
        return String::new();
    };
    let mut line = format!("{:<8} {summary}", stage.name());
    let megabytes = |bytes: u64| format!("{:.0} MB", bytes as f64 / 1e6);
    if let Some(bytes) = figures.bytes {
        line = format!("{line}, {}", megabytes(bytes));
    }
    let memory = peak_memory.map(|bytes| format!(", {} of memory", megabytes(bytes)));
    format!("{line} ({seconds:.1} s{})", memory.unwrap_or_default())
}

impl Observer for Console {
    fn event(&self, event: Event) {
        match self.form {
            Form::Quiet => {}
            Form::Json => {
                if let Ok(line) = serde_json::to_string(&event) {
                    print_all(&format!("{line}\n"));
                }
            }
            Form::Lines => match &event {
                Event::Finished { .. } => eprintln!("{}", finished(&event)),
                Event::Warning { message } => eprintln!("warning: {message}"),
                Event::Started { .. } | Event::Stepped { .. } => {}
            },
            Form::Bars => self.draw(&event),
        }
    }
}

impl Console {
    fn draw(&self, event: &Event) {
        let mut bar = self.lock();
        match event {
            Event::Started { stage, steps } => {
                let new = steps.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
                let template = match steps {
                    Some(_) => "{msg:8} {bar:30} {pos}/{len} {elapsed}",
                    None => "{msg:8} {spinner} {elapsed}",
                };
                if let Ok(style) = ProgressStyle::with_template(template) {
                    new.set_style(style);
                }
                new.set_message(stage.name());
                new.enable_steady_tick(Duration::from_millis(120));
                *bar = Some(new);
            }
            Event::Stepped { .. } => {
                if let Some(bar) = bar.as_ref() {
                    bar.inc(1);
                }
            }
            Event::Finished { .. } => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
                eprintln!("{}", finished(event));
            }
            Event::Warning { message } => match bar.as_ref() {
                Some(bar) => bar.println(format!("warning: {message}")),
                None => eprintln!("warning: {message}"),
            },
        }
    }
}
