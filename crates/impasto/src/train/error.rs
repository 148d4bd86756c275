//! Why a network was not trained.

use std::path::PathBuf;

use impasto_files::{Clash, FileError, LockError};
use impasto_nn::kernels::StyleNetError;
use impasto_nn::style_model::StyleModelError;

use crate::device::DeviceError;
use crate::job::Stopped;
use crate::network::NetworkError;
use crate::picture::{ReadError, WriteError};
use crate::recorded::MissingFiles;
use crate::settings::SettingsError;
use crate::styles::StylePictureError;

/// Why a network was not trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A painting cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A place cannot be written to.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The network of the losses is not there.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// There is nothing to compute with.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The network that is trained cannot be made.
    #[error(transparent)]
    StyleNet(#[from] StyleNetError),
    /// A model cannot be read or written.
    #[error(transparent)]
    Model(#[from] StyleModelError),
    /// What a network of any style predicts for a painting cannot be computed.
    #[error(transparent)]
    StylePicture(#[from] StylePictureError),
    /// The checkpoint names files that are not there.
    #[error(transparent)]
    MissingFiles(#[from] MissingFiles),
    /// There is no folder of this name.
    #[error("there is no folder `{}`: name one with photographs in it", .0.display())]
    Missing(PathBuf),
    /// A file where a folder should be.
    #[error("`{}` is not a folder: name a folder with photographs in it", .0.display())]
    NotAFolder(PathBuf),
    /// A folder that the operating system would not give.
    #[error("cannot look into the folder `{}`: {reason}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No painting can be read.
    #[error("none of {count} paintings can be read, one because: {reason}")]
    NoGoodPainting {
        /// How many were tried.
        count: usize,
        /// Why one of them was not.
        reason: String,
    },
    /// A folder without pictures.
    #[error("there are no pictures in the folder `{}`: put photographs into it, or name another", .0.display())]
    NoPhotos(PathBuf),
    /// Not one photograph could be decoded.
    #[error("none of the {count} photographs can be used, the first for this reason: {reason}")]
    NoGoodPhotos {
        /// How many were tried.
        count: usize,
        /// What was wrong with the first.
        reason: String,
    },
    /// Not one photograph to validate by could be decoded.
    #[error(
        "none of the {count} photographs held out for validation can be used, the first for this reason: {reason}; \
         remove the broken files"
    )]
    NoGoodValidation {
        /// How many there are.
        count: usize,
        /// What was wrong with the first.
        reason: String,
    },
    /// Two styles of one name.
    #[error("two styles are called `{0}`: name one of them, as in `--style other={0}.jpg`")]
    StyleTwice(String),
    /// A file would be written over another.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// A file cannot be written where it should.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another run has the checkpoint.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The output does not end as a model does.
    #[error("`{}` does not look like a model: end the name in .safetensors", .0.display())]
    Ending(PathBuf),
    /// The network to start from is another one.
    #[error(
        "`{from}` holds a network of width {width} with {residual_blocks} residual blocks: train with `--width {width} \
         --residual-blocks {residual_blocks}`, or start from another with `--from`, or from `nothing`"
    )]
    OtherNetwork {
        /// The model's file, or `any`.
        from: String,
        /// Its width.
        width: usize,
        /// Its residual blocks.
        residual_blocks: usize,
    },
    /// There is no run to resume.
    #[error("there is no checkpoint `{}` to resume from: start without `--resume`", .0.display())]
    NoCheckpoint(PathBuf),
    /// A run that was not finished would be lost.
    #[error(
        "the run of `{}` stopped at step {step} of {steps}: resume it with `--resume`, or remove that file to start again",
        path.display()
    )]
    Unfinished {
        /// The checkpoint.
        path: PathBuf,
        /// Steps that it has.
        step: usize,
        /// Steps that it wanted.
        steps: usize,
    },
    /// Where the run would be kept lies something else.
    #[error(
        "`{}` is where this run would be kept, but something else is there: move it, or choose another name with `-o` \
         ({error})",
        path.display()
    )]
    Occupied {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read as a checkpoint.
        error: Box<TrainError>,
    },
    /// A checkpoint that cannot be resumed.
    #[error("cannot resume from the checkpoint `{}`: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A setting that is not the checkpoint's.
    #[error(
        "the checkpoint `{}` was made with another `--{setting}` ({was}): leave it out, or start again under another name",
        path.display()
    )]
    OtherSetting {
        /// The file.
        path: PathBuf,
        /// Name of the setting's flag.
        setting: String,
        /// Its value in the checkpoint.
        was: String,
    },
    /// The very first loss is not a number.
    #[error("the loss of the start is not finite: make the weights smaller, or check the network file")]
    NotFiniteStart,
    /// The loss does not become finite again.
    #[error(
        "the loss is not finite at step {step}, and going back {times} times did not help: start anew with a smaller \
         `--learning-rate` than {learning_rate}"
    )]
    NotFinite {
        /// The step.
        step: usize,
        /// How often the run went back.
        times: u32,
        /// The rate that it began with.
        learning_rate: f64,
    },
    /// It was stopped before its first validation.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The thread that reads photographs is gone.
    #[error("the thread that reads the photographs ended unexpectedly: resume with `--resume`")]
    Reader,
    /// The network was trained, but could not be written where it should.
    #[error("{error}; the model is kept in `{}`", kept.display())]
    Kept {
        /// Why not there.
        error: Box<StyleModelError>,
        /// Where it is instead.
        kept: PathBuf,
    },
}
