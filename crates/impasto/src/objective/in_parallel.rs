//! Independent pieces of work on some threads.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};

/// `f` of every item, in order, on up to `threads` threads. The last items are begun first: deep layers have the largest
/// matrices.
pub(super) fn in_parallel<T: Send, R: Send>(items: Vec<T>, threads: usize, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    if threads < 2 || items.len() < 2 {
        return items.into_iter().map(f).collect();
    }
    let helpers = threads.min(items.len()) - 1;
    let left = Mutex::new(items.into_iter().enumerate().collect::<Vec<_>>());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || {
        let mut done = Vec::new();
        while let Some((index, item)) = next() {
            done.push((index, f(item)));
        }
        done
    };
    let mut results = std::thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for helper in helpers {
            all.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        for threads in [0, 1, 2, 3, 9] {
            for count in [0, 1, 2, 50] {
                let found = in_parallel((0..count).collect(), threads, |i| i * i);
                assert_eq!(found, (0..count).map(|i| i * i).collect::<Vec<usize>>(), "{threads} threads");
            }
        }
    }
}
