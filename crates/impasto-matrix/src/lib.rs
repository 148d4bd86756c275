//! Small dense matrices, and functions of symmetric ones through their eigenvalues: a thin wall around `faer`,
//! whose generic code is then compiled once, here, and not with every change of the library above.

use faer::{Mat, Side};

/// A matrix of doubles.
#[derive(Clone, Debug)]
pub struct Matrix(Mat<f64>);

impl Matrix {
    /// A square one, from its size and its values by row and column.
    pub fn from_fn(size: usize, value: impl FnMut(usize, usize) -> f64) -> Self {
        Self::rectangle(size, size, value)
    }

    /// From its numbers of rows and columns, and its values by row and column.
    pub fn rectangle(rows: usize, columns: usize, value: impl FnMut(usize, usize) -> f64) -> Self {
        Self(Mat::from_fn(rows, columns, value))
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.0.nrows()
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.0.ncols()
    }

    /// With rows for columns.
    pub fn transposed(&self) -> Self {
        Self(self.0.transpose().to_owned())
    }

    /// With `value(i)` added to the i-th value of the diagonal.
    pub fn plus_diagonal(mut self, value: impl Fn(usize) -> f64) -> Self {
        (0..self.rows().min(self.columns())).for_each(|i| self.0[(i, i)] += value(i));
        self
    }

    /// The value in a row and a column.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn get(&self, row: usize, column: usize) -> f64 {
        self.0[(row, column)]
    }

    /// The sum of the diagonal.
    pub fn trace(&self) -> f64 {
        (0..self.rows()).map(|i| self.get(i, i)).sum()
    }

    /// The product of two.
    ///
    /// # Panics
    /// If this one's columns are not as many as the other's rows.
    pub fn times(&self, other: &Self) -> Self {
        Self(&self.0 * &other.0)
    }

    /// A matrix A of n rows with orthogonal columns and `A·Aᵀ = V·(Λ + ridge)·Vᵀ`, of a symmetric n × n matrix with the
    /// eigenvectors V and eigenvalues Λ, where only those above `least` count: A has as many columns as there are. Only
    /// what lies on and below the diagonal counts. Nothing where a value is not a number.
    pub fn root(&self, least: f64, ridge: f64) -> Option<Self> {
        let (vectors, values) = self.eigen()?;
        let kept: Vec<usize> = (0..values.len()).filter(|i| values[*i] > least).collect();
        let at = |i: usize, j: usize| vectors[(i, kept[j])] * (values[kept[j]] + ridge).sqrt();
        Some(Self(Mat::from_fn(self.rows(), kept.len(), at)))
    }

    /// The eigenvectors, in columns, and eigenvalues of a symmetric matrix.
    fn eigen(&self) -> Option<(Mat<f64>, Vec<f64>)> {
        // The solver would pass over what is not a number.
        if !self.0.col_iter().all(|column| column.iter().all(|value| value.is_finite())) {
            return None;
        }
        let eigen = self.0.self_adjoint_eigen(Side::Lower).ok()?;
        Some((eigen.U().to_owned(), eigen.S().column_vector().iter().copied().collect()))
    }

    /// `V·f(Λ)·Vᵀ` of a symmetric matrix `V·Λ·Vᵀ`, where no eigenvalue counts as less than `least`; and those
    /// eigenvalues. Only what lies on and below the diagonal is read. Nothing where a value is no number.
    pub fn function(&self, least: f64, f: impl Fn(f64) -> f64) -> Option<(Self, Vec<f64>)> {
        let (vectors, values) = self.eigen()?;
        let values: Vec<f64> = values.into_iter().map(|value| value.max(least)).collect();
        let images: Vec<f64> = values.iter().map(|value| f(*value)).collect();
        let scaled = Mat::from_fn(self.rows(), self.rows(), |i, j| vectors[(i, j)] * images[j]);
        Some((Self(scaled * vectors.transpose()), values))
    }
}

/// The orthogonal part of a row-major `rows × columns` matrix: with its singular values `M = U·Σ·Vᵀ` this is `U·Vᵀ`,
/// where values below a thousandth of the largest keep that share of their smallness. Nothing where a value is no number
/// or all are nothing.
///
/// # Panics
/// If there are not `rows · columns` values.
pub fn orthogonal_part(rows: usize, columns: usize, values: &[f32]) -> Option<Vec<f32>> {
    assert_eq!(values.len(), rows * columns);
    let wide = rows <= columns;
    let at = |i: usize, j: usize| values[if wide { i * columns + j } else { j * columns + i }];
    let (short, long) = (rows.min(columns), rows.max(columns));
    let matrix = Mat::from_fn(short, long, |i, j| f64::from(at(i, j)));
    let gram = Matrix(&matrix * matrix.transpose());
    let least = 1e-6 * gram.trace() / short as f64;
    if least.is_nan() || least <= 0.0 {
        return None;
    }
    let (root, _) = gram.function(least, |value| 1.0 / value.sqrt())?;
    let part = root.0 * matrix;
    let value = |i: usize| if wide { part[(i / columns, i % columns)] } else { part[(i % columns, i / columns)] };
    Some((0..values.len()).map(|i| value(i) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_squared_is_the_matrix() {
        // B·Bᵀ + 1 is symmetric and positive.
        let b = |i: usize, j: usize| ((i * 7 + j * 3) as f64).sin();
        let product = |i: usize, j: usize| (0..9).map(|k| b(i, k) * b(j, k)).sum::<f64>();
        let matrix = Matrix::from_fn(9, |i, j| product(i, j) + f64::from(i == j));
        let (root, values) = matrix.function(0.0, f64::sqrt).unwrap();
        let back = root.times(&root);
        assert!((0..81).all(|at| (back.get(at / 9, at % 9) - matrix.get(at / 9, at % 9)).abs() < 1e-12));
        assert!((values.iter().sum::<f64>() - matrix.trace()).abs() < 1e-12);
    }

    #[test]
    fn a_root_of_less_rank_has_fewer_columns() {
        // The sum of three products of a vector with itself.
        let vector = |k: usize, i: usize| ((i * (k + 2) + k) as f64).cos();
        let matrix = Matrix::from_fn(9, |i, j| (0..3).map(|k| vector(k, i) * vector(k, j)).sum());
        let root = matrix.root(1e-9, 0.0).unwrap();
        let back = root.times(&root.transposed());
        assert_eq!((root.rows(), root.columns()), (9, 3));
        assert!((0..81).all(|at| (back.get(at / 9, at % 9) - matrix.get(at / 9, at % 9)).abs() < 1e-12));
        let with_ridge = matrix.root(1e-9, 0.5).unwrap();
        let trace = with_ridge.times(&with_ridge.transposed()).trace();
        assert!((trace - matrix.trace() - 1.5).abs() < 1e-12, "{trace}");
        assert!(Matrix::from_fn(2, |_, _| f64::NAN).root(0.0, 0.0).is_none());
    }

    #[test]
    fn the_orthogonal_part_is_orthogonal_and_turned_like_the_matrix() {
        for (rows, columns) in [(5, 12), (12, 5), (7, 7)] {
            let values: Vec<f32> = (0..rows * columns).map(|i| ((i * i) as f32 * 0.7).sin() * 1e-12).collect();
            let part = orthogonal_part(rows, columns, &values).unwrap();
            let (short, long) = (rows.min(columns), rows.max(columns));
            let at = |i: usize, j: usize| part[if rows <= columns { i * columns + j } else { j * columns + i }];
            for i in 0..short {
                for j in 0..short {
                    let product: f32 = (0..long).map(|k| at(i, k) * at(j, k)).sum();
                    assert!((product - f32::from(u8::from(i == j))).abs() < 1e-5, "{rows}×{columns}: {product}");
                }
            }
            // Partᵀ·M is symmetric and positive, as with no other orthogonal matrix.
            let m = |i: usize, j: usize| values[if rows <= columns { i * columns + j } else { j * columns + i }];
            let product = |i: usize, j: usize| (0..long).map(|k| at(i, k) * m(j, k)).sum::<f32>();
            assert!((0..short).all(|i| product(i, i) > 0.0));
            assert!(
                (0..short * short)
                    .all(|k| { (product(k / short, k % short) - product(k % short, k / short)).abs() < 1e-17 })
            );
        }
        assert!(orthogonal_part(2, 3, &[0.0; 6]).is_none() && orthogonal_part(1, 2, &[f32::NAN, 1.0]).is_none());
    }

    #[test]
    fn small_eigenvalues_are_lifted_and_what_is_no_number_gives_nothing() {
        let diagonal = |last: f64| Matrix::from_fn(2, |i, j| if i != j { 0.0 } else { [4.0, last][i] });
        let (_, mut values) = diagonal(-1.0).function(0.5, f64::sqrt).unwrap();
        values.sort_by(f64::total_cmp);
        assert_eq!(values, [0.5, 4.0]);
        assert!(diagonal(f64::NAN).function(0.5, f64::sqrt).is_none());
    }
}
