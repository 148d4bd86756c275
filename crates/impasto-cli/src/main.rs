//! The command `impasto`.

mod args;
mod eval;
mod interrupt;
mod models;
mod output;
mod paint;
mod progress;
mod show;
mod stylize;
mod train;
mod version;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// The exit code of everything that the person at the keyboard can mend.
const BAD_INPUT: u8 = 2;

/// How a command ended when nothing was wrong.
enum Ending {
    Done,
    Interrupted,
}

fn main() -> ExitCode {
    let ending = match Args::parse().command {
        Command::Paint(args) => paint::run(*args),
        Command::Stylize(args) => stylize::run(*args),
        Command::Train(args) => train::run(*args),
        Command::Eval(args) => eval::run(args),
        Command::Show(args) => show::run(&args).map(|()| Ending::Done),
        Command::Models(args) => models::run(args).map_err(Into::into),
        Command::Completions { shell } => args::completions(shell),
    };
    match ending {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(interrupt::exit_code()),
        Err(error) => {
            output::complain(error.as_ref());
            ExitCode::from(BAD_INPUT)
        }
    }
}
