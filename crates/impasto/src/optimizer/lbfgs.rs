//! L-BFGS: Nocedal & Wright, "Numerical Optimization", 2nd edition 2006, algorithms 7.4 and 7.5, with the strong Wolfe
//! line search beside it. It restarts itself from the steepest descent when a step fails.

use std::collections::VecDeque;

use super::line_search::{LineSearch, Next, Point};
use super::vector::Vector;
use super::{Memory, Numbers, Optimizer, Outcome, Slice, is_finite, shrinkage};
use crate::device::Cpu;

/// How many steps are remembered of a picture, and the least of a large one.
const HISTORY: usize = 10;
const LEAST_HISTORY: usize = 3;

/// Bytes that steps and changes take at most where they are exact: ten steps of a megapixel. Those of larger pictures
/// are kept in halves: that is as good (`docs/performance.md`).
const MOST_BYTES: usize = 240 << 20;

/// Bytes that they take at most in halves, down to the least number of them.
const MOST_BYTES_IN_HALVES: usize = 120 << 20;

/// How many steps are remembered of a picture with so many values, and whether in halves. Nothing but its size counts,
/// so that a resumed run remembers as many.
pub fn remembered(values: usize) -> (usize, bool) {
    if 2 * size_of::<f32>() * values * HISTORY <= MOST_BYTES {
        return (HISTORY, false);
    }
    ((MOST_BYTES_IN_HALVES / (2 * size_of::<u16>() * values)).clamp(LEAST_HISTORY, HISTORY), true)
}

/// L-BFGS' state for one picture.
pub struct Lbfgs {
    cpu: Cpu,
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
    origin: Vec<f32>,
    gradient: Vec<f32>,
    direction: Vec<f32>,
    step: f64,
    /// When the search gives up: go to this distance, evaluate once more, and restart there.
    last_resort: bool,
}

impl Lbfgs {
    /// `first_step` is how far a value moves on average in the first step, before anything is known of the loss.
    pub fn new(first_step: f64, cpu: Cpu) -> Self {
        Self { cpu, first_step, history: VecDeque::new(), search: None }
    }

    /// Begins a line search at `picture`, and moves it to the first place to try.
    fn descend(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Outcome {
        let mut direction = self.direction(gradient);
        let mut slope = self.cpu.dot(gradient, &direction);
        let mut outcome = Outcome::Moved;
        if !downhill(slope) && !self.history.is_empty() {
            self.history.clear();
            direction = self.direction(gradient);
            slope = self.cpu.dot(gradient, &direction);
            outcome = Outcome::Restarted("the direction did not lead downhill".into());
        }
        if !downhill(slope) {
            return Outcome::Converged("the gradient is zero".into());
        }
        let step = if self.history.is_empty() {
            let length = self.cpu.dot(&direction, &direction).sqrt();
            self.first_step * (picture.len() as f64).sqrt() / length
        } else {
            1.0
        };
        let line = LineSearch::new(loss, slope);
        let (origin, gradient) = (picture.to_vec(), gradient.to_vec());
        let search = Search { line, origin, gradient, direction, step, last_resort: false };
        search.place(&self.cpu, picture);
        self.search = Some(search);
        outcome
    }

    /// `−H·gradient`, by the two loops of algorithm 7.4.
    fn direction(&self, gradient: &[f32]) -> Vec<f32> {
        let mut q: Vec<f32> = gradient.iter().map(|g| -g).collect();
        let mut alphas = Vec::with_capacity(self.history.len());
        for pair in self.history.iter().rev() {
            let alpha = pair.rho * pair.step.dot(&q, &self.cpu);
            pair.change.add_to(&mut q, -alpha, &self.cpu);
            alphas.push(alpha);
        }
        if let Some(last) = self.history.back() {
            self.cpu.scale(&mut q, 1.0 / (last.rho * last.change.dot_vector(&last.change, &self.cpu)));
        }
        for (pair, alpha) in self.history.iter().zip(alphas.iter().rev()) {
            let beta = pair.rho * pair.change.dot(&q, &self.cpu);
            pair.step.add_to(&mut q, alpha - beta, &self.cpu);
        }
        q
    }

    /// Remembers the step that a search took.
    fn learn(&mut self, search: Search, picture: &[f32], gradient: &[f32]) {
        let Search { origin: mut step, gradient: mut change, direction, .. } = search;
        drop(direction);
        step.iter_mut().zip(picture).for_each(|(s, x)| *s = x - *s);
        change.iter_mut().zip(gradient).for_each(|(y, g)| *y = g - *y);
        let curvature = self.cpu.dot(&step, &change);
        if curvature <= 1e-10 * self.cpu.dot(&change, &change) {
            return;
        }
        let (most, halves) = remembered(picture.len());
        if self.history.len() == most {
            self.history.pop_front();
        }
        let step = Vector::new(step, halves);
        self.remember(step, Vector::new(change, halves));
    }

    /// Remembers a step and the change of the gradient along it, if the curvature is above 0 as they are stored.
    fn remember(&mut self, step: Vector, change: Vector) {
        let rho = 1.0 / step.dot_vector(&change, &self.cpu);
        if rho.is_finite() && rho > 0.0 {
            self.history.push_back(Pair { step, change, rho });
        }
    }

    /// The search found no step: back to its origin, and from there down the steepest slope, unless that was it.
    fn restart(&mut self, search: Search, picture: &mut [f32]) -> Outcome {
        picture.copy_from_slice(&search.origin);
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
    fn place(&self, cpu: &Cpu, picture: &mut [f32]) {
        picture.copy_from_slice(&self.origin);
        cpu.add_scaled(picture, self.step, &self.direction);
    }
}

impl Optimizer for Lbfgs {
    fn tell(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Outcome {
        let Some(mut search) = self.search.take() else {
            return self.descend(picture, loss, gradient);
        };
        if search.last_resort && is_finite(&self.cpu, loss, gradient) {
            self.history.clear();
            return match self.descend(picture, loss, gradient) {
                Outcome::Moved => Outcome::Restarted("the line search ran out of evaluations".into()),
                outcome => outcome,
            };
        }
        let finite = is_finite(&self.cpu, loss, gradient);
        let loss = if finite { loss } else { f64::INFINITY };
        let slope = if finite { self.cpu.dot(gradient, &search.direction) } else { f64::NAN };
        match search.line.tell(Point { step: search.step, loss, slope }) {
            Next::Accept => {
                self.learn(search, picture, gradient);
                self.descend(picture, loss, gradient)
            }
            Next::GiveUp(None) => self.restart(search, picture),
            next @ (Next::Try(step) | Next::GiveUp(Some(step))) => {
                search.step = step;
                search.last_resort = matches!(next, Next::GiveUp(_));
                search.place(&self.cpu, picture);
                self.search = Some(search);
                if finite { Outcome::Moved } else { Outcome::RolledBack(format!("trying a step of {step:.3e}")) }
            }
        }
    }

    fn enlarge(&mut self, from: (usize, usize), to: (usize, usize)) {
        self.search = None;
        let (most, halves) = remembered(3 * to.0 * to.1);
        let pairs = std::mem::take(&mut self.history);
        let forgotten = pairs.len().saturating_sub(most);
        for mut pair in pairs.into_iter().skip(forgotten) {
            pair.step.enlarge(from, to, 1.0, halves);
            pair.change.enlarge(from, to, shrinkage(from, to), halves);
            self.remember(pair.step, pair.change);
        }
    }

    fn memory(&self) -> Memory<'_> {
        let mut memory = Memory { numbers: vec![self.first_step, self.history.len() as f64], slices: Vec::new() };
        for pair in &self.history {
            memory.numbers.extend([pair.rho, pair.step.factor, pair.change.factor]);
            memory.slices.extend([pair.step.numbers.as_slice(), pair.change.numbers.as_slice()]);
        }
        if let Some(search) = &self.search {
            memory.numbers.extend([search.step, f64::from(u8::from(search.last_resort))]);
            memory.numbers.extend(search.line.numbers());
            let slices = [&search.origin, &search.gradient, &search.direction];
            memory.slices.extend(slices.map(|slice| Slice::Floats(slice)));
        }
        memory
    }

    fn recall(&mut self, numbers: &[f64], slices: Vec<Numbers>) -> Option<()> {
        if slices.iter().any(Numbers::is_empty) {
            return None;
        }
        let (mut numbers, mut slices) = (numbers.iter().copied(), slices.into_iter());
        self.first_step = numbers.next()?;
        self.history.clear();
        for _ in 0..numbers.next()? as usize {
            let rho = numbers.next()?;
            let mut vector = || Some(Vector { factor: numbers.next()?, numbers: slices.next()? });
            self.history.push_back(Pair { rho, step: vector()?, change: vector()? });
        }
        self.search = None;
        if let Some(step) = numbers.next() {
            let last_resort = numbers.next()? != 0.0;
            let line = LineSearch::from_numbers(&mut numbers)?;
            let mut floats = || slices.next()?.floats();
            let (origin, gradient, direction) = (floats()?, floats()?, floats()?);
            self.search = Some(Search { line, origin, gradient, direction, step, last_resort });
        }
        (numbers.next().is_none() && slices.next().is_none()).then_some(())
    }

    fn keeps_best(&self) -> bool {
        true
    }

    fn best_loss(&self) -> Option<f64> {
        self.search.as_ref().map(|search| search.line.lowest().loss)
    }

    fn best(&self) -> Option<Vec<f32>> {
        let search = self.search.as_ref()?;
        let mut picture = search.origin.clone();
        let step = search.line.lowest().step;
        if step > 0.0 {
            self.cpu.add_scaled(&mut picture, step, &search.direction);
        }
        Some(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            match optimizer.tell(&mut x, loss, &gradient) {
                Outcome::Moved => {}
                outcome => outcomes.push(outcome),
            }
        }
        (best, outcomes)
    }

    /// The vectors of a memory, as a checkpoint gives them back.
    fn owned(memory: &Memory<'_>) -> Vec<Numbers> {
        let owned = |slice: &Slice<'_>| match slice {
            Slice::Floats(values) => Numbers::Floats(values.to_vec()),
            Slice::Halves(values) => Numbers::Halves(values.to_vec()),
        };
        memory.slices.iter().map(owned).collect()
    }

    #[test]
    fn a_memory_with_a_vector_of_nothing_is_refused() {
        let mut remembers = Lbfgs::new(1.0, Cpu::new(1));
        run(&mut remembers, 9);
        let memory = remembers.memory();
        assert_eq!(Lbfgs::new(1.0, Cpu::new(1)).recall(&memory.numbers, owned(&memory)), Some(()));
        for place in 0..memory.slices.len() {
            let mut slices = owned(&memory);
            slices[place] = Numbers::Floats(Vec::new());
            assert_eq!(Lbfgs::new(1.0, Cpu::new(1)).recall(&memory.numbers, slices), None, "{place}");
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
        let (best, _) = run(&mut Lbfgs::new(0.1, Cpu::new(2)), 100);
        assert!(best < 1e-8, "{best}");
        let (adam, _) = run(&mut Adam::new(0.1, Cpu::new(1)), 100);
        assert!(adam > 1e-3, "{adam}");
    }

    #[test]
    fn at_the_minimum_it_says_so_and_keeps_still() {
        let (best, outcomes) = run(&mut Lbfgs::new(0.1, Cpu::new(2)), 400);
        assert!(best < 1e-9, "{best}");
        assert!(outcomes.iter().any(|outcome| matches!(outcome, Outcome::Converged(_))), "{outcomes:?}");
    }

    /// At every place of a search, also behind a wall where the loss is infinite and the slope no number.
    #[test]
    fn a_run_that_is_taken_up_again_anywhere_goes_on_as_if_it_had_not_stopped() {
        for stop in 1..60 {
            let mut runs = [Lbfgs::new(0.1, Cpu::new(2)), Lbfgs::new(7.0, Cpu::new(2))];
            let mut x: Vec<f32> = [-1.2, 1.0].repeat(10);
            let mut gradient = vec![0.0; x.len()];
            let step = |optimizer: &mut Lbfgs, x: &mut [f32], gradient: &mut [f32]| {
                let far = x.iter().any(|v| v.abs() > 1.5);
                let loss = if far { f64::INFINITY } else { rosenbrock(x, gradient) };
                (optimizer.tell(x, loss, gradient), x.to_vec())
            };
            for _ in 0..stop {
                step(&mut runs[0], &mut x, &mut gradient);
            }
            let memory = runs[0].memory();
            let (numbers, slices) = (memory.numbers.clone(), owned(&memory));
            runs[1].recall(&numbers, slices).unwrap();
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
                optimizer.tell(x, loss, &gradient);
            }
            loss(x, side, &mut gradient)
        };
        let mut optimizer = Lbfgs::new(0.1, Cpu::new(1));
        run(&mut optimizer, &mut [10.0; 3 * 16 * 16], 16, 20);
        optimizer.enlarge((16, 16), (32, 32));
        let mut other = Lbfgs::new(0.1, Cpu::new(1));
        let learnt = run(&mut optimizer, &mut [10.0; 3 * 32 * 32], 32, 8);
        let fresh = run(&mut other, &mut [10.0; 3 * 32 * 32], 32, 8);
        assert!(learnt < 0.5 * fresh, "{learnt} against {fresh}");
    }

    #[test]
    fn a_wall_of_infinity_only_shortens_the_step() {
        let mut optimizer = Lbfgs::new(100.0, Cpu::new(1));
        let mut x = [3.0f32; 4];
        let mut best = f64::INFINITY;
        for _ in 0..30 {
            // −log x: infinite left of 0, so a first step of 100 lands in the wall.
            let walled = |v: f32| if v > 0.0 { f64::from(v) - f64::from(v).ln() } else { f64::NAN };
            let loss: f64 = x.iter().map(|v| walled(*v)).sum();
            let gradient = x.map(|v| if v > 0.0 { 1.0 - 1.0 / v } else { f32::NAN });
            best = if loss.is_finite() { best.min(loss) } else { best };
            optimizer.tell(&mut x, loss, &gradient);
        }
        assert!((best - 4.0).abs() < 1e-6, "{best}");
    }
}
