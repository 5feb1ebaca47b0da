//! The commands. Each is one file: what was typed, what it does, what a person sees.

mod actions;
mod check;
mod client;
pub mod demo;
mod init;
mod replay;
mod serve;
mod slo;
mod verify;
mod why;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::telemetry::causes;

/// Why did this AI agent act, and was that right?
///
/// An OTLP collector for agents: point their exporter at port 4317 (gRPC) or 4318 (HTTP). It joins what arrives into
/// the lineage of every action, judges it with deterministic rules, and counts the verdicts for Prometheus.
#[derive(Debug, Parser)]
#[command(name = "wherefore", version, max_term_width = 80)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive OTLP, judge, and answer questions, until stopped
    Serve(serve::Serve),
    /// Explain one action: any id that telemetry shows will do
    Why(why::Explain),
    /// List actions, newest first
    Actions(Box<actions::Actions>),
    /// Judge recorded OTLP offline
    Replay(replay::Replay),
    /// Check configuration, envelopes, objectives and tokens without starting
    Check(check::Check),
    /// Write a ready pack: envelopes with unit tests, and objectives
    Init(init::Init),
    /// Work with service level objectives
    #[command(subcommand)]
    Slo(slo::Slo),
    /// Verify the journal's hash chain and name the first bad record
    Verify(verify::Verify),
}

/// Where the running server answers, and where the store is when none runs.
#[derive(Debug, clap::Args)]
struct Where {
    /// The server's query listener
    #[arg(long, env = "WHEREFORE_SERVER", default_value = "http://127.0.0.1:9464", value_name = "URL")]
    server: String,
    /// A bearer token, where the server needs one
    #[arg(long, env = "WHEREFORE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// The data directory to read when no server answers
    #[arg(long, default_value = "wherefore-data", value_name = "DIR")]
    data: PathBuf,
}

/// Why a command failed: a sentence for standard error, and the exit code.
#[derive(Debug)]
pub struct Failed {
    message: String,
    code: u8,
}

impl Failed {
    /// Something went wrong.
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// What was typed, or a file it names, is wrong.
    fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }

    /// An error with its causes, each said once.
    fn from_error(attempt: &str, error: &dyn std::error::Error) -> Self {
        Self::new(format!("{attempt}: {}", causes(error)))
    }

    /// The same of an error that says itself what was attempted.
    fn of(error: &dyn std::error::Error) -> Self {
        Self::new(causes(error))
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        // A reader that has seen enough, such as `head`, is no failure.
        let code = if error.kind() == io::ErrorKind::BrokenPipe { 0 } else { 1 };
        Self { message: format!("cannot write the answer: {error}"), code }
    }
}

/// Runs what was typed.
pub fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Serve(serve) => serve.run(),
        Command::Why(why) => why.run(),
        Command::Actions(actions) => actions.run(),
        Command::Replay(replay) => replay.run(),
        Command::Check(check) => check.run(),
        Command::Init(init) => init.run(),
        Command::Slo(slo) => slo.run(),
        Command::Verify(verify) => verify.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed { code: 0, .. }) => ExitCode::SUCCESS,
        Err(Failed { message, code }) => {
            // Standard error may be gone too; there is nobody left to tell.
            let _ = writeln!(io::stderr(), "wherefore: {message}");
            ExitCode::from(code)
        }
    }
}

/// Mistakes of files, one a paragraph.
fn mistakes(mistakes: &[crate::config::Mistake]) -> Failed {
    let count = mistakes.len();
    let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    let noun = if count == 1 { "mistake" } else { "mistakes" };
    Failed::usage(format!("{count} {noun}\n{}", all.join("\n")))
}
