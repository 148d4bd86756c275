//! What can be wrong with settings.

use std::path::PathBuf;

use crate::value::ValueError;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The settings file could not be read.
    #[error("cannot read the settings file `{}`: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The settings file is not TOML, or a value has the wrong type.
    #[error("the settings file `{}` is not right: {reason}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        reason: String,
    },
    /// A key that means nothing.
    #[error("the settings file `{}` has an unknown key `{key}`{}", path.display(), suggestion(nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A file name that cannot stand in a settings file.
    #[error("the name `{}` has bytes in it that are no text: rename the file", .0.display())]
    NoText(PathBuf),
    /// A text that is none of the values that it should be.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A number outside its range.
    #[error("{name} is {value}, but must be {expected}")]
    Range {
        /// The setting.
        name: String,
        /// What was given.
        value: String,
        /// Its range.
        expected: &'static str,
    },
    /// A layer that the network does not have.
    #[error("the network has no layer `{layer}`{}", suggestion(nearest))]
    UnknownLayer {
        /// What was given.
        layer: String,
        /// The layer that is most like it.
        nearest: Option<String>,
    },
    /// A share of a style that is not trained.
    #[error("none of the paintings is called `{style}`{}", suggestion(nearest))]
    UnknownShare {
        /// What was given.
        style: String,
        /// The style that is most like it.
        nearest: Option<String>,
    },
    /// A layer named twice.
    #[error("the layer `{0}` is named twice")]
    LayerTwice(String),
    /// Neither content nor style would be compared.
    #[error("nothing to paint by: give at least one content or style layer a weight above 0")]
    Nothing,
    /// Something that a run cannot do without.
    #[error("no {0} is named: give it on the command line or in the settings file")]
    Unnamed(&'static str),
    /// A setting without another that it needs.
    #[error("`{setting}` needs {needed}")]
    Needs {
        /// What was given.
        setting: &'static str,
        /// What it needs.
        needed: &'static str,
    },
}

/// What a value should look like, to be shown behind a message.
fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default()
}

/// The known name that is most like the given one, if any is like it at all.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let likeness = |name: &str| strsim::damerau_levenshtein(&given.to_lowercase(), name);
    let best = known.min_by_key(|name| likeness(name))?;
    (likeness(best) <= 1 + given.len() / 2).then(|| best.to_owned())
}
