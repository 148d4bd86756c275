//! Pictures in and out, against what Pillow and Little CMS make of the same files.

mod files;
mod output;
