//! The networks that come with the program, and where others can be had.
