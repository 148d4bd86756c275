//! A line search for the strong Wolfe conditions: Nocedal & Wright, "Numerical Optimization", 2nd edition 2006,
//! algorithms 3.5 and 3.6, turned inside out: it is told one evaluation at a time.

use super::Memory;

/// Sufficient decrease, c₁ of the book.
const DECREASE: f64 = 1e-4;
/// Curvature, c₂ of the book for quasi-Newton directions.
const CURVATURE: f64 = 0.9;
/// How many evaluations one search may take.
const MAX_EVALUATIONS: usize = 20;

/// The loss and its slope at a distance along the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) step: f64,
    pub(super) loss: f64,
    pub(super) slope: f64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    /// Evaluate at this distance.
    Try(f64),
    /// The point just told fulfils the conditions.
    Accept,
    /// No such point was found; the best one that lowers the loss, if any, was at this distance.
    GiveUp(Option<f64>),
}

/// One search along one line.
#[derive(Clone, Debug)]
pub(super) struct LineSearch {
    start: Point,
    /// The lower end: the start, or the best point that decreases the loss sufficiently.
    low: Point,
    /// The other end of the bracket, once there is one.
    high: Option<Point>,
    evaluations: usize,
}

impl LineSearch {
    /// A search from a loss and a slope, which must be negative.
    pub(super) fn new(loss: f64, slope: f64) -> Self {
        let start = Point { step: 0.0, loss, slope };
        Self { start, low: start, high: None, evaluations: 0 }
    }

    /// The loss at the start of the line.
    pub(super) fn start_loss(&self) -> f64 {
        self.start.loss
    }

    /// The best point so far: the start, or a point that decreases the loss sufficiently.
    pub(super) fn lowest(&self) -> Point {
        self.low
    }

    /// Keeps the search in an optimiser's memory.
    pub(super) fn keep<V>(&self, memory: &mut Memory<V>) {
        memory.keep_number("search.evaluations", self.evaluations as f64);
        for (end, point) in [("start", Some(self.start)), ("low", Some(self.low)), ("high", self.high)] {
            let Some(Point { step, loss, slope }) = point else { continue };
            memory.keep_number(format!("search.{end}.step"), step);
            memory.keep_number(format!("search.{end}.loss"), loss);
            memory.keep_number(format!("search.{end}.slope"), slope);
        }
    }

    /// The search that [`keep`](Self::keep) kept.
    pub(super) fn recall<V>(memory: &mut Memory<V>) -> Option<Self> {
        let evaluations = memory.take_number("search.evaluations")? as usize;
        let mut point = |end: &str| {
            let mut number = |name: &str| memory.take_number(&format!("search.{end}.{name}"));
            Some(Point { step: number("step")?, loss: number("loss")?, slope: number("slope")? })
        };
        Some(Self { start: point("start")?, low: point("low")?, high: point("high"), evaluations })
    }

    /// Takes the evaluation at `point.step`. A loss that is not finite counts as infinitely high.
    pub(super) fn tell(&mut self, point: Point) -> Next {
        self.evaluations += 1;
        let finite = point.loss.is_finite() && point.slope.is_finite();
        let decreases = finite && point.loss <= self.start.loss + DECREASE * point.step * self.start.slope;
        if !decreases || point.loss >= self.low.loss {
            self.high = Some(point);
        } else if point.slope.abs() <= CURVATURE * self.start.slope.abs() {
            return Next::Accept;
        } else {
            // Is the slope at the new low end uphill towards the other end? Then the old low end becomes the other.
            let towards = self.high.map_or(1.0, |high| high.step - point.step);
            if point.slope * towards >= 0.0 {
                self.high = Some(self.low);
            }
            self.low = point;
        }
        self.next()
    }

    fn next(&self) -> Next {
        let width = self.high.map(|high| (high.step - self.low.step).abs());
        let scale = self.low.step.max(self.high.map_or(0.0, |high| high.step));
        if self.evaluations >= MAX_EVALUATIONS || width.is_some_and(|width| width <= 1e-9 * scale) {
            return Next::GiveUp((self.low.step > 0.0).then_some(self.low.step));
        }
        match self.high {
            // Still downhill all the way: go further.
            None => Next::Try(self.low.step * 3.0),
            Some(high) => Next::Try(between(self.low, high)),
        }
    }
}

/// The minimum of the cubic through two points and their slopes (eq. 3.59 of the book), kept off the ends.
fn between(low: Point, high: Point) -> f64 {
    let width = high.step - low.step;
    let middle = low.step + width / 2.0;
    if !(high.loss.is_finite() && high.slope.is_finite()) {
        return low.step + width / 10.0;
    }
    let d1 = low.slope + high.slope - 3.0 * (low.loss - high.loss) / (low.step - high.step);
    let square = d1 * d1 - low.slope * high.slope;
    if square < 0.0 {
        return middle;
    }
    let d2 = square.sqrt().copysign(width);
    let step = high.step - width * (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2);
    let (least, most) = (low.step + 0.1 * width, low.step + 0.9 * width);
    if step.is_finite() { step.clamp(least.min(most), least.max(most)) } else { middle }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a search on a function and its derivative; returns the step taken and the evaluations needed.
    fn search(f: impl Fn(f64) -> (f64, f64), first: f64) -> (f64, usize) {
        let (loss, slope) = f(0.0);
        let mut search = LineSearch::new(loss, slope);
        let mut step = first;
        for evaluations in 1.. {
            let (loss, slope) = f(step);
            match search.tell(Point { step, loss, slope }) {
                Next::Try(next) => step = next,
                Next::Accept => return (step, evaluations),
                Next::GiveUp(best) => panic!("gave up after {evaluations}, best {best:?}"),
            }
        }
        unreachable!()
    }

    #[test]
    fn what_is_accepted_fulfils_the_strong_wolfe_conditions() {
        // Moré & Thuente 1994, the functions of their table I and II, and a parabola with its minimum far away.
        type Function = fn(f64) -> (f64, f64);
        let functions: [Function; 3] = [
            |a| (-a / (a * a + 2.0), (a * a - 2.0) / (a * a + 2.0).powi(2)),
            |a| {
                ((a + 0.004).powi(5) - 2.0 * (a + 0.004).powi(4), 5.0 * (a + 0.004).powi(4) - 8.0 * (a + 0.004).powi(3))
            },
            |a| ((a - 400.0).powi(2), 2.0 * (a - 400.0)),
        ];
        for (i, f) in functions.iter().enumerate() {
            for first in [1e-3, 1e-1, 1e1, 1e3] {
                let (step, _) = search(f, first);
                let ((loss0, slope0), (loss, slope)) = (f(0.0), f(step));
                assert!(loss <= loss0 + DECREASE * step * slope0, "function {i} from {first}: no decrease at {step}");
                assert!(slope.abs() <= CURVATURE * slope0.abs(), "function {i} from {first}: too steep at {step}");
            }
        }
    }

    #[test]
    fn an_infinite_loss_shortens_the_step() {
        let (step, evaluations) =
            search(|a| if a > 1.0 { (f64::NAN, f64::NAN) } else { (a * a - a, 2.0 * a - 1.0) }, 500.0);
        assert!(step < 1.0 && evaluations < 10, "{step} after {evaluations}");
    }

    #[test]
    fn a_line_that_only_rises_is_given_up() {
        let mut search = LineSearch::new(0.0, -1.0);
        let mut step = 1.0;
        let given_up = (0..100).find_map(|_| match search.tell(Point { step, loss: 1.0, slope: 1.0 }) {
            Next::Try(next) => {
                step = next;
                None
            }
            next => Some(next),
        });
        assert_eq!(given_up, Some(Next::GiveUp(None)));
    }
}
