//! The command `impasto`.

mod models;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "impasto", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List, show and download networks and styles
    Models(models::ModelsArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Models(args) => models::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "impasto: {error}");
            ExitCode::from(2)
        }
    }
}
