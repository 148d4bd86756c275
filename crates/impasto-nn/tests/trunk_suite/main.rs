//! One suite over every trunk: against PyTorch's vectors, finite differences, and its own promises.

mod fixture;
mod objective;
mod suite;

use impasto_nn::trunk::BurnTrunk;

/// The suite over one way of making a trunk, `|vgg, pooling, taps| -> Box<dyn Trunk>`.
macro_rules! suite {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;

            suite!(@ $make, features_are_pytorchs, moments_are_pytorchs, article_with_average_pooling_is_pytorchs,
                article_with_max_pooling_is_pytorchs, article_with_l2_pooling_is_pytorchs, moments_obey_their_weights,
                distance_obeys_its_weights, average_gradient_is_the_slope, max_gradient_is_the_slope,
                l2_gradient_is_the_slope, gradients_add_up, nothing_flows_back_from_nothing,
                a_pass_leaves_no_trace_in_the_next, shapes_are_those_of_the_features);
        }
    };
    (@ $make:expr, $($test:ident),*) => {
        $(#[test]
        fn $test() {
            suite::$test(&$make);
        })*
    };
}

suite!(burn, |vgg: &_, pooling, taps: &[usize]| Box::new(BurnTrunk::cpu(vgg, pooling, taps).unwrap()) as suite::Made);
