//! Neural style transfer: paint a photograph in the style of a painting.

pub mod models;
