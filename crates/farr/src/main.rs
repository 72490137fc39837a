//! `farr`: flags become one typed request, the job does it, and what happened
//! becomes text and an exit code. No logic of its own.

mod arguments;
mod console;

use std::io::IsTerminal;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use arguments::{Arguments, Cohort, Command};
use clap::{CommandFactory, Parser};
use console::Console;
use farr_job::{Cancel, Event, Failure, Merged, Observer, WhyOutcome};

static CANCEL: Cancel = Cancel::new();

/// glibc's allocator keeps what it once took, more of it the longer a run goes on.
/// Not on ARM Linux, whose pages may be larger than those of the machine that
/// builds, which jemalloc cannot bear.
#[cfg(any(target_os = "macos", all(target_os = "linux", target_arch = "x86_64")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// An arena a processor, not four of them, each of which takes pages of its own: a
/// short run is a twentieth faster.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[expect(unsafe_code, reason = "jemalloc looks for its settings under this name")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 16] = b"narenas_ratio:1\0";

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no failures.
            let _ = error.print();
            let code = if error.use_stderr() { Failure::Job.exit_code() } else { 0 };
            return ExitCode::from(code);
        }
    };
    // A second Ctrl-C finds the handler gone and ends the process at once;
    // nothing half-written is visible even then.
    let _ = ctrlc::set_handler(|| {
        if CANCEL.is_asked() {
            std::process::exit(i32::from(Failure::Stopped.exit_code()));
        }
        CANCEL.ask();
    });
    let console = Console::new(arguments.log, arguments.quiet);
    let command = arguments.command;
    // A panic is a mistake in farr, whatever thread it happened on; its message
    // has been printed by then.
    let performed = panic::catch_unwind(AssertUnwindSafe(|| perform(command, &console)));
    match performed {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(error)) => {
            console.failed(&error);
            ExitCode::from(error.failure().exit_code())
        }
        Err(_) => {
            console.crashed();
            ExitCode::from(Failure::Internal.exit_code())
        }
    }
}

/// The exit code of work that ended well: 0, or 6 when done in part.
fn perform(command: Command, console: &Console) -> Result<u8, farr_job::Error> {
    match command {
        Command::Run(run) => match run.part()? {
            Some(part) => {
                console.part(&farr_job::run_part(&run.request()?, part, console, &CANCEL)?);
            }
            None => console.ran(&farr_job::run(&run.request()?, console, &CANCEL)?),
        },
        Command::Merge(merge) => match farr_job::merge(&merge.request(false)?, console, &CANCEL)? {
            Merged::Report(outcome) => console.ran(&outcome),
            Merged::Records { run_id, records, status } => {
                console.merged(&run_id, &records, status);
            }
        },
        Command::Ingest(run) => match run.part()? {
            Some(part) => {
                console.part(&farr_job::ingest_part(&run.request()?, part, console, &CANCEL)?);
            }
            None => console.ingested(&farr_job::ingest(&run.request()?, console, &CANCEL)?),
        },
        Command::Check(job) => console.did(&farr_job::check(&job.request()?)?),
        Command::Clean(job) => {
            console.did(&farr_job::clean(&job.request()?, &CANCEL)?.summary);
        }
        Command::Cohort(Cohort::Run(run)) => {
            let outcome = farr_job::run_cohorts(&run.request()?, console, &CANCEL)?;
            console.cohorts_run(&outcome);
            if !outcome.refused.is_empty() {
                return Ok(farr_job::DONE_IN_PART);
            }
        }
        Command::Cohort(Cohort::Check(check)) => {
            let outcome = farr_job::check_cohorts(&check.request())?;
            console.checked(&outcome);
            return Ok(outcome.exit_code());
        }
        Command::Cohort(Cohort::Why(why)) => {
            let is_terminal = std::io::stdout().is_terminal();
            match farr_job::why_cohort(&why.request(is_terminal))? {
                WhyOutcome::Shown(account) => console.text(account.get()),
                WhyOutcome::Written(url) => console.text(&url),
            }
        }
        Command::Cohort(Cohort::Explain { file }) => {
            console.text(&farr_job::explain_cohort(&file)?);
        }
        Command::Describe { folder } => console.text(&farr_job::describe(&folder)?),
        Command::Concepts(concepts) => {
            let outcome = farr_job::concepts(&concepts.request())?;
            console.text(&outcome.text);
            for message in &outcome.refused {
                console.event(Event::Warning { message: message.clone() });
            }
            if !outcome.refused.is_empty() {
                return Ok(farr_job::DONE_IN_PART);
            }
        }
        Command::Schema { of: arguments::Schema::Job } => console.text(&farr_job::job_schema()),
        Command::Synth(synth) => {
            let outcome = farr_job::synth(&synth.request(), console, &CANCEL)?;
            console.text(&outcome);
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "farr", &mut script);
            console.text(&String::from_utf8_lossy(&script));
        }
        Command::Man => {
            let mut page = Vec::new();
            // Writing to memory cannot fail.
            let _ = clap_mangen::Man::new(Arguments::command()).render(&mut page);
            console.text(&String::from_utf8_lossy(&page));
        }
    }
    Ok(0)
}
