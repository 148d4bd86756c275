//! `impasto train`.

mod args;
mod progress;

use std::error::Error;
use std::io::IsTerminal;

use impasto::train::{TrainEnd, TrainEvent, TrainJob, TrainOverrides, train};

use crate::{Ending, interrupt, output};

pub(crate) use args::TrainArgs;
use progress::Watch;

pub(crate) fn run(args: TrainArgs) -> Result<Ending, Box<dyn Error>> {
    let file = args.config.as_deref().map(TrainOverrides::read).transpose()?;
    let given = args.overrides().over(file.unwrap_or_default());
    if args.print_config {
        let settings = given.settings();
        settings.check()?;
        output::print_exact(&given.over(TrainOverrides::from(&settings)).to_toml()?)?;
        return Ok(Ending::Done);
    }
    let mut job = if args.resume { TrainJob::resume(given)? } else { TrainJob::new(given)? };
    job.settings_files = args.config.iter().cloned().collect();
    let mut watch = watcher(&args, &job);
    interrupt::watch();
    let trained = train(&job, &mut |event: &TrainEvent| watch.event(event))?;
    Ok(if trained.end == TrainEnd::Stopped { Ending::Interrupted } else { Ending::Done })
}

/// A bar where a person looks at a terminal, plain lines where not, JSON where a program reads.
fn watcher(args: &TrainArgs, job: &TrainJob) -> Watch {
    if args.json {
        Watch::json(args.quiet)
    } else if args.quiet {
        Watch::Quiet
    } else if std::io::stderr().is_terminal() && !args.verbose {
        Watch::bar(job.settings.steps)
    } else {
        Watch::lines(args.verbose)
    }
}
