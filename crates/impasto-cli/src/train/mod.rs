//! `impasto train`.

mod args;

use std::error::Error;

use impasto::job::{Context, End, Job};
use impasto::train::{TrainError, TrainJob, TrainOverrides};

use crate::ending::Ending;
use crate::watch::{self, Watch, Wish};
use crate::{interrupt, output};

pub(crate) use args::TrainArgs;

pub(crate) fn run(args: TrainArgs) -> Result<Ending, Box<dyn Error>> {
    if args.print_schema {
        output::print_schema(&TrainOverrides::schema())?;
        return Ok(Ending::Done);
    }
    let file = args.config.as_deref().map(TrainOverrides::read).transpose()?;
    let given = args.overrides.clone().over(file.unwrap_or_default());
    if args.print_config {
        let settings = given.settings();
        settings.check()?;
        output::print_exact(&given.over(TrainOverrides::from(&settings)).to_toml()?)?;
        return Ok(Ending::Done);
    }
    let mut job = if args.resume { TrainJob::resume(given)? } else { TrainJob::new(given)? };
    job.settings_files = args.config.iter().cloned().collect();
    let wish = Wish { json: args.json, quiet: args.quiet, verbose: args.verbose };
    let watch = Watch::new(wish, watch::Train { steps: job.settings.steps });
    let context = Context::new(&watch).with_control(&interrupt::control());
    let trained = match job.run(&context) {
        Err(TrainError::Stopped(stopped)) => return Ok(Ending::stopped(stopped)),
        trained => trained?,
    };
    Ok(if trained.end == End::Stopped { Ending::Interrupted } else { Ending::Done })
}
