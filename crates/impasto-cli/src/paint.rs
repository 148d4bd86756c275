//! `impasto paint`.

use std::error::Error;

use impasto::PaintJob;
use impasto::job::{Context, End, Job};
use impasto::paint::{JobError, PaintError, SweepError, again, sweep};
use impasto::settings::Overrides;

use crate::args::PaintArgs;
use crate::ending::Ending;
use crate::watch::{self, Watch, Wish};
use crate::{interrupt, output};

pub(crate) fn run(args: PaintArgs) -> Result<Ending, Box<dyn Error>> {
    if args.print_schema {
        output::print_schema(&Overrides::schema())?;
        return Ok(Ending::Done);
    }
    let file = args.config.as_deref().map(Overrides::read).transpose()?;
    let given = args.overrides.clone().over(file.unwrap_or_default());
    let again = args.again.as_deref().map(|picture| again(picture, &given)).transpose()?;
    let given = given.over(again.unwrap_or_default());
    if args.print_config {
        let settings = given.settings();
        settings.check()?;
        let files = Overrides { preset: None, ..given };
        output::print_exact(&Overrides::from(&settings).over(files).to_toml()?)?;
        return Ok(Ending::Done);
    }
    if !args.sweep.is_empty() {
        let watch = Watch::new(args.wish(), watch::Paint);
        let context = Context::new(&watch).with_control(&interrupt::control());
        let end = match sweep(&given, &args.sweep, &context) {
            Err(SweepError::Job(error)) => stopped_or(error)?,
            end => end?,
        };
        return Ok(if end == End::Stopped { Ending::Interrupted } else { Ending::Done });
    }
    let mut job = match &args.resume {
        Some(path) => PaintJob::resume(path, given)?,
        None => PaintJob::new(given)?,
    };
    job.settings_files = args.config.iter().chain(&args.again).cloned().collect();
    if args.plan {
        let plan = job.plan()?;
        if args.json {
            output::print_json(&plan)?;
        } else {
            output::print(&format!("{plan}\n"))?;
        }
        return Ok(Ending::Done);
    }
    let watch = Watch::new(args.wish(), watch::Paint);
    let context = Context::new(&watch).with_control(&interrupt::control());
    let end = match job.run(&context) {
        Ok(painting) => painting.end,
        Err(error) => {
            drop(watch);
            stopped_or(error)?;
            return Ok(Ending::Interrupted);
        }
    };
    drop(watch);
    if end == End::Stopped && !args.quiet && job.checkpoint_every > 0.0 {
        output::note(&format!("resume with `impasto paint --resume {}`", job.checkpoint.display()));
    }
    Ok(if end == End::Stopped { Ending::Interrupted } else { Ending::Done })
}

/// The end of a job that was stopped before there was anything to keep; any other error stays one.
fn stopped_or(error: JobError) -> Result<End, JobError> {
    match error {
        JobError::Stopped(stopped) | JobError::Paint(PaintError::Stopped(stopped)) => {
            output::complain(&stopped);
            Ok(End::Stopped)
        }
        error => Err(error),
    }
}

impl PaintArgs {
    fn wish(&self) -> Wish {
        Wish { json: self.json, quiet: self.quiet, verbose: self.verbose }
    }
}
