//! L-BFGS: Nocedal & Wright, "Numerical Optimization", 2nd edition 2006, algorithms 7.4 and 7.5, with the strong Wolfe
//! line search beside it. It restarts itself from the steepest descent when a step fails.

use std::collections::VecDeque;
use std::sync::Arc;

use impasto_nn::backend::{Backend, Tensor};

use super::line_search::{LineSearch, Next, Point};
use super::vector::Vector;
use super::{Growth, Memory, Numbers, Optimizer, Outcome, Slice, is_finite};

/// How many steps are remembered of a picture, and the least of a large one.
const HISTORY: usize = 10;
const LEAST_HISTORY: usize = 3;

/// Bytes that steps and changes take at most where they are exact: ten steps of a megapixel. Those of larger pictures
/// are kept in halves: that is as good (`docs/performance.md`).
const MOST_BYTES: usize = 240 << 20;

/// Bytes that they take at most in halves, down to the least number of them.
const MOST_BYTES_IN_HALVES: usize = 120 << 20;

/// How many steps are remembered of a picture with this many values, and whether in halves. Nothing but its size counts,
/// so that a resumed run remembers as many.
pub fn remembered(values: usize) -> (usize, bool) {
    if 2 * size_of::<f32>() * values * HISTORY <= MOST_BYTES {
        return (HISTORY, false);
    }
    ((MOST_BYTES_IN_HALVES / (2 * size_of::<u16>() * values)).clamp(LEAST_HISTORY, HISTORY), true)
}

/// L-BFGS' state for one picture.
pub struct Lbfgs {
    backend: Arc<dyn Backend>,
    /// How far a value moves on average in the first step.
    first_step: f64,
    history: VecDeque<Pair>,
    search: Option<Search>,
}

/// A step, the change of the gradient along it, and `1 / (step · change)`.
#[derive(Debug)]
struct Pair {
    step: Vector,
    change: Vector,
    rho: f64,
}

/// A line search under way.
#[derive(Debug)]
struct Search {
    line: LineSearch,
    origin: Tensor,
    gradient: Tensor,
    direction: Tensor,
    step: f64,
    /// When the search gives up: go to this distance, evaluate once more, and restart there.
    last_resort: bool,
}

impl Lbfgs {
    /// `first_step` is how far a value moves on average in the first step, before anything is known of the loss.
    pub fn new(first_step: f64, backend: Arc<dyn Backend>) -> Self {
        Self { backend, first_step, history: VecDeque::new(), search: None }
    }

    /// Begins a line search at `picture`, and moves it to the first place to try.
    fn descend(&mut self, picture: &mut Tensor, loss: f64, gradient: &Tensor) -> Outcome {
        let mut direction = self.direction(gradient);
        let mut slope = self.backend.dot(gradient, &direction);
        let mut outcome = Outcome::Moved;
        if !downhill(slope) && !self.history.is_empty() {
            self.history.clear();
            direction = self.direction(gradient);
            slope = self.backend.dot(gradient, &direction);
            outcome = Outcome::Restarted("the direction did not lead downhill".into());
        }
        if !downhill(slope) {
            return Outcome::Converged("the gradient is zero".into());
        }
        let step = if self.history.is_empty() {
            let length = self.backend.dot(&direction, &direction).sqrt();
            self.first_step * (picture.len() as f64).sqrt() / length
        } else {
            1.0
        };
        let line = LineSearch::new(loss, slope);
        let (origin, gradient) = (picture.clone(), gradient.clone());
        let search = Search { line, origin, gradient, direction, step, last_resort: false };
        search.place(&*self.backend, picture);
        self.search = Some(search);
        outcome
    }

    /// `−H·gradient`, by the two loops of algorithm 7.4.
    fn direction(&self, gradient: &Tensor) -> Tensor {
        let backend = &*self.backend;
        let mut q = gradient.clone();
        backend.scale(&mut q, -1.0);
        let mut alphas = Vec::with_capacity(self.history.len());
        for pair in self.history.iter().rev() {
            let alpha = pair.rho * pair.step.dot(&q, backend);
            pair.change.add_to(&mut q, -alpha, backend);
            alphas.push(alpha);
        }
        if let Some(last) = self.history.back() {
            backend.scale(&mut q, 1.0 / (last.rho * last.change.dot_vector(&last.change, backend)));
        }
        for (pair, alpha) in self.history.iter().zip(alphas.iter().rev()) {
            let beta = pair.rho * pair.change.dot(&q, backend);
            pair.step.add_to(&mut q, alpha - beta, backend);
        }
        q
    }

    /// Remembers the step that a search took.
    fn learn(&mut self, search: Search, picture: &Tensor, gradient: &Tensor) {
        let Search { origin: mut step, gradient: mut change, direction, .. } = search;
        drop(direction);
        let backend = self.backend.clone();
        backend.subtract_from(&mut step, picture);
        backend.subtract_from(&mut change, gradient);
        let curvature = backend.dot(&step, &change);
        if curvature <= 1e-10 * backend.dot(&change, &change) {
            return;
        }
        let (most, halves) = remembered(picture.len());
        if self.history.len() == most {
            self.history.pop_front();
        }
        let step = Vector::new(step, halves, &*backend);
        self.remember(step, Vector::new(change, halves, &*backend));
    }

    /// Remembers a step and the change of the gradient along it, if the curvature is above 0 as they are stored.
    fn remember(&mut self, step: Vector, change: Vector) {
        let rho = 1.0 / step.dot_vector(&change, &*self.backend);
        if rho.is_finite() && rho > 0.0 {
            self.history.push_back(Pair { step, change, rho });
        }
    }

    /// The search found no step: back to its origin, and from there down the steepest slope, unless that was it.
    fn restart(&mut self, search: Search, picture: &mut Tensor) -> Outcome {
        self.backend.copy(&search.origin, picture);
        if self.history.is_empty() {
            return Outcome::Converged("no step lowers the loss any more, not even down the steepest slope".into());
        }
        self.history.clear();
        let loss = search.line.start_loss();
        match self.descend(picture, loss, &search.gradient) {
            Outcome::Moved => Outcome::Restarted("the line search found no lower point".into()),
            outcome => outcome,
        }
    }
}

/// Whether a slope leads down; one that is not a number does not.
fn downhill(slope: f64) -> bool {
    slope < 0.0
}

impl Search {
    fn place(&self, backend: &dyn Backend, picture: &mut Tensor) {
        backend.copy(&self.origin, picture);
        backend.add_scaled(picture, self.step, &self.direction);
    }
}

impl Optimizer for Lbfgs {
    fn tell(&mut self, picture: &mut Tensor, loss: f64, gradient: &Tensor) -> Outcome {
        let Some(mut search) = self.search.take() else {
            return self.descend(picture, loss, gradient);
        };
        if search.last_resort && is_finite(&*self.backend, loss, gradient) {
            self.history.clear();
            return match self.descend(picture, loss, gradient) {
                Outcome::Moved => Outcome::Restarted("the line search ran out of evaluations".into()),
                outcome => outcome,
            };
        }
        let finite = is_finite(&*self.backend, loss, gradient);
        let loss = if finite { loss } else { f64::INFINITY };
        let slope = if finite { self.backend.dot(gradient, &search.direction) } else { f64::NAN };
        match search.line.tell(Point { step: search.step, loss, slope }) {
            Next::Accept => {
                self.learn(search, picture, gradient);
                self.descend(picture, loss, gradient)
            }
            Next::GiveUp(None) => self.restart(search, picture),
            next @ (Next::Try(step) | Next::GiveUp(Some(step))) => {
                search.step = step;
                search.last_resort = matches!(next, Next::GiveUp(_));
                search.place(&*self.backend, picture);
                self.search = Some(search);
                if finite { Outcome::Moved } else { Outcome::RolledBack(format!("trying a step of {step:.3e}")) }
            }
        }
    }

    fn enlarge(&mut self, growth: Growth) {
        self.search = None;
        let backend = self.backend.clone();
        let (most, halves) = remembered(3 * growth.to.0 * growth.to.1);
        let pairs = std::mem::take(&mut self.history);
        let forgotten = pairs.len().saturating_sub(most);
        for Pair { step, change, .. } in pairs.into_iter().skip(forgotten) {
            let step = step.enlarge(growth, 1.0, halves, &*backend);
            self.remember(step, change.enlarge(growth, growth.shrinkage(), halves, &*backend));
        }
    }

    fn memory(&self) -> Memory<Slice<'_>> {
        let mut memory = Memory::default();
        memory.keep_number("first_step", self.first_step);
        for (i, pair) in self.history.iter().enumerate() {
            memory.keep_number(format!("pair.{i}.rho"), pair.rho);
            for (name, vector) in [("step", &pair.step), ("change", &pair.change)] {
                memory.keep_number(format!("pair.{i}.{name}.factor"), vector.factor);
                memory.keep_vector(format!("pair.{i}.{name}"), self.backend.stored(&vector.numbers));
            }
        }
        if let Some(search) = &self.search {
            search.line.keep(&mut memory);
            memory.keep_number("search.step", search.step);
            memory.keep_number("search.last_resort", u8::from(search.last_resort).into());
            memory.keep_vector("search.origin", self.backend.stored(&search.origin));
            memory.keep_vector("search.gradient", self.backend.stored(&search.gradient));
            memory.keep_vector("search.direction", self.backend.stored(&search.direction));
        }
        memory
    }

    fn recall(&mut self, mut memory: Memory<Numbers>) -> Option<()> {
        self.first_step = memory.take_number("first_step")?;
        self.history.clear();
        while let Some(rho) = memory.take_number(&format!("pair.{}.rho", self.history.len())) {
            let mut vector = |name: &str| {
                let name = format!("pair.{}.{name}", self.history.len());
                let factor = memory.take_number(&format!("{name}.factor"))?;
                Some(Vector { factor, numbers: memory.take_vector(&name, &*self.backend)? })
            };
            let (step, change) = (vector("step")?, vector("change")?);
            self.history.push_back(Pair { rho, step, change });
        }
        self.search = None;
        if let Some(step) = memory.take_number("search.step") {
            let last_resort = memory.take_number("search.last_resort")? != 0.0;
            let line = LineSearch::recall(&mut memory)?;
            let mut vector = |name| memory.take_exact(name, &*self.backend);
            let (origin, gradient) = (vector("search.origin")?, vector("search.gradient")?);
            let direction = vector("search.direction")?;
            self.search = Some(Search { line, origin, gradient, direction, step, last_resort });
        }
        memory.is_empty().then_some(())
    }

    fn keeps_best(&self) -> bool {
        true
    }

    fn best_loss(&self) -> Option<f64> {
        self.search.as_ref().map(|search| search.line.lowest().loss)
    }

    fn best(&self) -> Option<Tensor> {
        let search = self.search.as_ref()?;
        let mut picture = search.origin.clone();
        let step = search.line.lowest().step;
        if step > 0.0 {
            self.backend.add_scaled(&mut picture, step, &search.direction);
        }
        Some(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu_backend;
    use crate::optimizer::Adam;

    /// Rosenbrock's valley in 2·n dimensions: its minimum is 0 where all are 1.
    fn rosenbrock(x: &[f32], gradient: &mut [f32]) -> f64 {
        let mut loss = 0.0;
        for (x, g) in x.chunks_exact(2).zip(gradient.chunks_exact_mut(2)) {
            let (a, b) = (f64::from(x[0]), f64::from(x[1]));
            loss += (1.0 - a).powi(2) + 100.0 * (b - a * a).powi(2);
            g[0] = (-2.0 * (1.0 - a) - 400.0 * a * (b - a * a)) as f32;
            g[1] = (200.0 * (b - a * a)) as f32;
        }
        loss
    }

    fn run(optimizer: &mut dyn Optimizer, evaluations: usize) -> (f64, Vec<Outcome>) {
        let mut x: Vec<f32> = [-1.2, 1.0].repeat(10);
        let mut gradient = vec![0.0; x.len()];
        let (mut best, mut outcomes) = (f64::INFINITY, Vec::new());
        for _ in 0..evaluations {
            let loss = rosenbrock(&x, &mut gradient);
            best = best.min(loss);
            match tell(optimizer, &mut x, loss, &gradient) {
                Outcome::Moved => {}
                outcome => outcomes.push(outcome),
            }
        }
        (best, outcomes)
    }

    /// A memory as a checkpoint gives it back.
    fn owned(memory: &Memory<Slice<'_>>) -> Memory<Numbers> {
        let vectors = memory.vectors.iter().map(|(name, vector)| (name.clone(), vector.to_numbers())).collect();
        Memory { numbers: memory.numbers.clone(), vectors }
    }

    /// Tells an optimiser of host values.
    fn tell(optimizer: &mut dyn Optimizer, x: &mut [f32], loss: f64, gradient: &[f32]) -> Outcome {
        let backend = cpu_backend();
        let (mut picture, gradient) = (backend.upload(x.to_vec()), backend.upload(gradient.to_vec()));
        let outcome = optimizer.tell(&mut picture, loss, &gradient);
        x.copy_from_slice(&backend.download(&picture));
        outcome
    }

    #[test]
    fn a_memory_of_which_anything_but_the_end_of_the_bracket_is_missing_is_refused() {
        let mut remembers = Lbfgs::new(1.0, cpu_backend());
        run(&mut remembers, 9);
        let memory = owned(&remembers.memory());
        let recalled = |memory| Lbfgs::new(1.0, cpu_backend()).recall(memory);
        assert_eq!(recalled(memory.clone()), Some(()));
        assert!(memory.vectors.len() >= 5, "{:?}", memory.vectors.keys());
        for name in memory.vectors.keys() {
            let mut part = memory.clone();
            part.vectors.remove(name);
            assert_eq!(recalled(part), None, "{name}");
        }
        for name in memory.numbers.keys().filter(|name| !name.starts_with("search.high")) {
            let mut part = memory.clone();
            part.numbers.remove(name);
            assert_eq!(recalled(part), None, "{name}");
        }
    }

    #[test]
    fn large_pictures_are_remembered_for_fewer_steps() {
        assert_eq!(
            [512 * 512, 1024 * 1024, 2048 * 1536, 4096 * 3072].map(|pixels| remembered(3 * pixels)),
            [(10, false), (10, false), (3, true), (3, true)]
        );
    }

    #[test]
    fn it_finds_the_end_of_the_valley_and_adam_does_not_yet() {
        let (best, _) = run(&mut Lbfgs::new(0.1, cpu_backend()), 100);
        assert!(best < 1e-8, "{best}");
        let (adam, _) = run(&mut Adam::new(0.1, cpu_backend()), 100);
        assert!(adam > 1e-3, "{adam}");
    }

    #[test]
    fn at_the_minimum_it_says_so_and_keeps_still() {
        let (best, outcomes) = run(&mut Lbfgs::new(0.1, cpu_backend()), 400);
        assert!(best < 1e-9, "{best}");
        assert!(outcomes.iter().any(|outcome| matches!(outcome, Outcome::Converged(_))), "{outcomes:?}");
    }

    /// At every place of a search, also behind a wall where the loss is infinite and the slope no number.
    #[test]
    fn a_run_that_is_taken_up_again_anywhere_goes_on_as_if_it_had_not_stopped() {
        for stop in 1..60 {
            let mut runs = [Lbfgs::new(0.1, cpu_backend()), Lbfgs::new(7.0, cpu_backend())];
            let mut x: Vec<f32> = [-1.2, 1.0].repeat(10);
            let mut gradient = vec![0.0; x.len()];
            let step = |optimizer: &mut Lbfgs, x: &mut [f32], gradient: &mut [f32]| {
                let far = x.iter().any(|v| v.abs() > 1.5);
                let loss = if far { f64::INFINITY } else { rosenbrock(x, gradient) };
                (tell(optimizer, x, loss, gradient), x.to_vec())
            };
            for _ in 0..stop {
                step(&mut runs[0], &mut x, &mut gradient);
            }
            let memory = owned(&runs[0].memory());
            runs[1].recall(memory).unwrap();
            let (mut y, mut other) = (x.clone(), gradient.clone());
            for _ in 0..30 {
                let [first, second] = &mut runs;
                assert_eq!(step(first, &mut x, &mut gradient), step(second, &mut y, &mut other), "stopped at {stop}");
            }
        }
    }

    #[test]
    fn what_it_learnt_grows_with_the_picture() {
        // The mean of squares with weights that rise along the rows, whatever the size.
        let loss = |x: &[f32], side: usize, gradient: &mut [f32]| {
            let weight = |i: usize| 1.0 + 99.0 * (i / side % side) as f64 / side as f64;
            let n = x.len() as f64;
            gradient.iter_mut().enumerate().for_each(|(i, g)| *g = (2.0 * weight(i) * f64::from(x[i]) / n) as f32);
            x.iter().enumerate().map(|(i, v)| weight(i) * f64::from(*v).powi(2) / n).sum::<f64>()
        };
        let run = |optimizer: &mut Lbfgs, x: &mut [f32], side: usize, evaluations: usize| {
            let mut gradient = vec![0.0; x.len()];
            for _ in 0..evaluations {
                let loss = loss(x, side, &mut gradient);
                tell(optimizer, x, loss, &gradient);
            }
            loss(x, side, &mut gradient)
        };
        let mut optimizer = Lbfgs::new(0.1, cpu_backend());
        run(&mut optimizer, &mut [10.0; 3 * 16 * 16], 16, 20);
        optimizer.enlarge(Growth { from: (16, 16), to: (32, 32) });
        let mut other = Lbfgs::new(0.1, cpu_backend());
        let learnt = run(&mut optimizer, &mut [10.0; 3 * 32 * 32], 32, 8);
        let fresh = run(&mut other, &mut [10.0; 3 * 32 * 32], 32, 8);
        assert!(learnt < 0.5 * fresh, "{learnt} against {fresh}");
    }

    #[test]
    fn a_wall_of_infinity_only_shortens_the_step() {
        let mut optimizer = Lbfgs::new(100.0, cpu_backend());
        let mut x = [3.0f32; 4];
        let mut best = f64::INFINITY;
        for _ in 0..30 {
            // −log x: infinite left of 0, so a first step of 100 lands in the wall.
            let walled = |v: f32| if v > 0.0 { f64::from(v) - f64::from(v).ln() } else { f64::NAN };
            let loss: f64 = x.iter().map(|v| walled(*v)).sum();
            let gradient = x.map(|v| if v > 0.0 { 1.0 - 1.0 / v } else { f32::NAN });
            best = if loss.is_finite() { best.min(loss) } else { best };
            tell(&mut optimizer, &mut x, loss, &gradient);
        }
        assert!((best - 4.0).abs() < 1e-6, "{best}");
    }
}
