//! Everything against the plain loops of [`reference`].
