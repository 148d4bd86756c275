//! The command `impasto`.

mod args;
mod ending;
mod eval;
mod interrupt;
mod models;
mod output;
mod paint;
#[cfg(test)]
mod settings_docs;
mod show;
mod styles;
mod stylize;
mod train;
mod version;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use ending::Ending;

/// The exit code of everything that the person at the keyboard can mend.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return refuse(&error),
    };
    let ending = match args.command {
        Command::Paint(args) => paint::run(*args),
        Command::Stylize(args) => stylize::run(*args),
        Command::Train(args) => train::run(*args),
        Command::Eval(args) => eval::run(args),
        Command::Show(args) => show::run(&args).map(|()| Ending::Done),
        Command::Styles(args) => styles::run(args),
        Command::Models(args) => models::run(args).map_err(Into::into),
        Command::Completions { shell } => args::completions(shell),
    };
    match ending {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(interrupt::exit_code()),
        Ok(Ending::Refused) => ExitCode::from(BAD_INPUT),
        Err(error) => {
            output::complain(error.as_ref());
            ExitCode::from(BAD_INPUT)
        }
    }
}

/// Prints what `clap` says of the arguments, or the help that they ask for. Names of files are among them.
fn refuse(error: &clap::Error) -> ExitCode {
    let typed: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let safe: Vec<String> = typed.iter().map(|arg| output::safe(arg)).collect();
    let told = if safe == typed { None } else { Args::try_parse_from(safe).err() };
    let _ = told.as_ref().unwrap_or(error).print();
    ExitCode::from(error.exit_code() as u8)
}
