//! `cargo xtask`: see `cargo xtask --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::reference;

#[derive(Parser)]
#[command(about = "What developers run")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare farr's answers with a reference's.
    #[command(subcommand)]
    Reference(Reference),
}

#[derive(Subcommand)]
enum Reference {
    /// Designs of OHDSI's CohortIncidence in DIR.
    Incidence {
        /// A folder laid out like `../shared/data/cohort-incidence-cases`.
        dir: PathBuf,
        /// Write what farr gave, a JSON per case.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Every definition below DIR: each row of cohorts and statistics.
    Circe {
        /// A folder laid out like `../shared/reference/circe`.
        dir: PathBuf,
        /// Write what farr gave, as the tables of `expected`.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Every case `<method>/<case>.json` below DIR.
    Stats {
        /// A folder laid out like `../shared/reference/stats`.
        dir: PathBuf,
        /// Write what farr gave, a JSON per case at the same relative path.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Reference(Reference::Incidence { dir, out }) => {
            reference::incidence::run(&dir, out.as_deref())
        }
        Command::Reference(Reference::Circe { dir, out }) => {
            reference::circe::run(&dir, out.as_deref())
        }
        Command::Reference(Reference::Stats { dir, out }) => {
            reference::stats::run(&dir, out.as_deref())
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
