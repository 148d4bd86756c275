//! Losses over time as rows of numbers, as checkpoints hold them.

use crate::objective::Losses;

/// Numbers in a row: seconds, loss, content, style, total variation.
pub(crate) const COLUMNS: usize = 5;

/// Seconds and losses, row after row.
pub(crate) fn to_rows<'a>(history: impl IntoIterator<Item = (f64, &'a Losses)>) -> Vec<f64> {
    history.into_iter().flat_map(|(seconds, losses)| [&[seconds][..], &losses.numbers()].concat()).collect()
}

/// What [`to_rows`] gave.
pub(crate) fn of_rows(rows: &[f64]) -> Vec<(f64, Losses)> {
    rows.chunks_exact(COLUMNS).map(|row| (row[0], Losses::from_numbers(&row[1..]))).collect()
}
