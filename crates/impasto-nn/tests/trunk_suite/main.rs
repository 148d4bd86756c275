//! One suite over every trunk: against PyTorch's vectors, finite differences, and its own promises.
//!
//! The kernels always run; Burn's trunk, and the kernels against it, with the feature `burn`.

mod agreement;
mod fixture;
mod objective;
mod painting;
mod suite;

#[cfg(feature = "burn")]
use impasto_nn::trunk::BurnTrunk;
use impasto_nn::{
    kernels::Isa,
    trunk::{CpuTrunk, Packing, Pooling},
    vgg::Vgg,
};
use suite::Made;

/// One test for each function of the suite; `$make` is `fn(&Vgg, Pooling, &[usize]) -> Made`, and a trunk that this CPU
/// cannot run (`$available` is false) passes without a word.
macro_rules! suite {
    ($name:ident, $available:expr, $make:expr) => {
        mod $name {
            use super::*;

            suite!(@ $available, $make, features_are_pytorchs, moments_are_pytorchs,
                article_with_average_pooling_is_pytorchs, article_with_max_pooling_is_pytorchs,
                article_with_l2_pooling_is_pytorchs, moments_obey_their_weights, distance_obeys_its_weights,
                average_gradient_is_the_slope, max_gradient_is_the_slope, l2_gradient_is_the_slope, gradients_add_up,
                nothing_flows_back_from_nothing, a_pass_leaves_no_trace_in_the_next, shapes_are_those_of_the_features);
        }
    };
    (@ $available:expr, $make:expr, $($test:ident),*) => {
        $(#[test]
        fn $test() {
            if $available {
                suite::$test(&$make);
            }
        })*
    };
}

#[cfg(feature = "burn")]
suite!(burn, true, burn_trunk);
suite!(avx512, Isa::by_name("avx512").is_some(), cpu_trunk("avx512"));
suite!(avx2, Isa::by_name("avx2").is_some(), cpu_trunk("avx2"));
suite!(portable, true, cpu_trunk("portable"));
suite!(bands, true, banded_trunk);

#[cfg(feature = "burn")]
fn burn_trunk(vgg: &Vgg, pooling: Pooling, taps: &[usize]) -> Made {
    Box::new(BurnTrunk::cpu(vgg, pooling, taps).unwrap())
}

fn cpu_trunk(isa: &'static str) -> impl Fn(&Vgg, Pooling, &[usize]) -> Made {
    move |vgg, pooling, taps| Box::new(CpuTrunk::new(vgg, pooling, taps, 2, Isa::by_name(isa), Packing::Kept).unwrap())
}

/// The fastest kernels, in the narrowest bands.
fn banded_trunk(vgg: &Vgg, pooling: Pooling, taps: &[usize]) -> Made {
    let mut trunk = CpuTrunk::new(vgg, pooling, taps, 2, None, Packing::Kept).unwrap();
    trunk.set_bands(Some(8));
    Box::new(trunk)
}

#[test]
fn every_instruction_set_of_this_cpu_is_tested() {
    assert!(Isa::available().iter().all(|isa| ["avx512", "avx2", "portable"].contains(&isa.name())));
}
