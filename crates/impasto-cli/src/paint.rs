//! `impasto paint`.

use std::error::Error;

use impasto::PaintJob;
use impasto::paint::{again, sweep};
use impasto::progress::End;
use impasto::settings::Overrides;

use crate::args::PaintArgs;
use crate::progress::{Bar, Json, Lines, Quiet, Watch};
use crate::{Ending, interrupt, output};

pub(crate) fn run(args: PaintArgs) -> Result<Ending, Box<dyn Error>> {
    let file = args.config.as_deref().map(Overrides::read).transpose()?;
    let given = args.overrides().over(file.unwrap_or_default());
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
        interrupt::watch();
        let end = sweep(&given, &args.sweep, &mut watcher(&args))?;
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
    interrupt::watch();
    let painting = job.run(&mut watcher(&args))?;
    if painting.end == End::Stopped && !args.quiet && job.checkpoint_every > 0.0 {
        output::note(&format!("go on with `impasto paint --resume {}`", job.checkpoint.display()));
    }
    Ok(if painting.end == End::Stopped { Ending::Interrupted } else { Ending::Done })
}

/// A bar where a person looks at a terminal, plain lines where not, JSON where a program reads.
fn watcher(args: &PaintArgs) -> Watch {
    if args.json {
        Watch::Json(Json::new(args.quiet))
    } else if args.quiet {
        Watch::Quiet(Quiet)
    } else if std::io::IsTerminal::is_terminal(&std::io::stderr()) && !args.verbose {
        Watch::Bar(Bar::new())
    } else {
        Watch::Lines(Lines::new(args.verbose))
    }
}
