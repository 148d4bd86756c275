//! The network that comes with the program.
//!
//! `weights/vgg19-codebook8.safetensors`: the convolutions of VGG19 as its authors trained them (Simonyan & Zisserman
//! 2014, CC BY 4.0), each layer's weights as 8-bit indices into 256 floats. Its first layer takes blue, green, red.

pub(crate) mod file;

use file::{FILE, file};

use crate::formats::Description;
use crate::vgg::Vgg;

impl Vgg {
    /// The VGG19 that comes with the program: its authors' own weights, in 8-bit codebooks.
    pub fn builtin() -> Self {
        let vgg = file().vgg().expect("the built-in network is whole: a test reads it");
        impasto_kernels::release_pages(FILE);
        vgg
    }
}

/// Says what the built-in network is, in the words of its file; the path is a name for people.
pub fn describe_builtin() -> Description {
    file().describe().expect("the built-in network is whole: a test reads it")
}
