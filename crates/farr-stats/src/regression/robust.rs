//! Robust (sandwich) covariance of generalised linear models and conditional
//! likelihoods.

use super::conditional::ConditionalFit;
use super::design::Design;
use super::error::Error;
use super::generalised_linear::Fit;
use super::linear_algebra::SquareMatrix;

/// Which sandwich: how rows are summed and which small-sample factor.
#[derive(Debug, Clone, Copy)]
pub enum Sandwich<'a> {
    /// Rows independent, no factor (White).
    Hc0,
    /// Rows independent, n / (n - k).
    Hc1,
    /// Rows summed by cluster, no factor. One cluster number a row, from 0
    /// (see [`super::group_indices`]).
    Cluster(&'a [usize]),
    /// Rows summed by cluster, G / (G - 1): the default of R sandwich's
    /// `vcovCL` for a `glm`.
    ClusterAdjusted(&'a [usize]),
    /// Rows summed by cluster, G / (G - 1) times (n - 1) / (n - k): that of
    /// `vcovCL` with type HC1, its default for an `lm`.
    ClusterHc1(&'a [usize]),
}

impl Fit {
    /// A (sum of s s') A with A the model covariance and s the score of a row
    /// or cluster, prior weights included: R sandwich's `sandwich`, `vcovHC`
    /// and `vcovCL` of a `glm`. n counts all rows, k the estimated terms.
    /// Terms by terms; NaN where aliased.
    pub fn robust_covariance(&self, sandwich: Sandwich<'_>) -> Result<SquareMatrix, Error> {
        let (n, k) = (self.row_scores.len(), self.design.size());
        let needs_more = matches!(sandwich, Sandwich::Hc1 | Sandwich::ClusterHc1(_));
        if needs_more && n <= k {
            return Err(Error::TooFew { needed: "more rows than terms", found: n });
        }
        let (rows, terms) = (n as f64, k as f64);
        let (meat, factor) = match sandwich {
            Sandwich::Hc0 => (self.meat_of_rows(), 1.0),
            Sandwich::Hc1 => (self.meat_of_rows(), rows / (rows - terms)),
            Sandwich::Cluster(clusters) => (self.meat_of_clusters(clusters)?.0, 1.0),
            Sandwich::ClusterAdjusted(clusters) => {
                let (meat, count) = self.meat_of_clusters(clusters)?;
                (meat, cluster_factor(count)?)
            }
            Sandwich::ClusterHc1(clusters) => {
                let (meat, count) = self.meat_of_clusters(clusters)?;
                (meat, cluster_factor(count)? * (rows - 1.0) / (rows - terms))
            }
        };
        Ok(sandwich_of(&self.design, &self.bread, &meat, factor))
    }

    fn meat_of_rows(&self) -> SquareMatrix {
        let squares: Vec<f64> = self.row_scores.iter().map(|s| s * s).collect();
        self.design.weighted_cross_product(&squares)
    }

    fn meat_of_clusters(&self, clusters: &[usize]) -> Result<(SquareMatrix, usize), Error> {
        let (n, k) = (self.row_scores.len(), self.design.size());
        let (sums, count) = cluster_sums(clusters, (n, k), |i, sum| {
            for (s, x) in sum.iter_mut().zip(self.design.row(i)) {
                *s += self.row_scores[i] * x;
            }
        })?;
        Ok((meat_of(&sums, k), count))
    }
}

impl ConditionalFit {
    /// The covariance A (sum of s s') A with A the model covariance and s the
    /// sum of the score residuals of a cluster's rows, without a small-sample
    /// factor: that of R survival's `clogit` and `coxph` with `cluster`. A
    /// cluster may hold whole strata or cut across them.
    ///
    /// - `clusters`: one cluster number a row as given to the fit, from 0 (see
    ///   [`super::group_indices`]); without them each row is its own, as
    ///   `robust = TRUE` has it.
    ///
    /// The score residual of row i is (x - mean)(y - p): p is the chance that
    /// the row is a case given the stratum's number of cases m, and the mean is
    /// that of x over the stratum weighted by p, which is the expected sum over
    /// cases divided by m. Over a stratum they add up to its score. With one
    /// case a stratum the exact likelihood is Efron's and Breslow's, and these
    /// are R's residuals; with more R has none for `method = "exact"`. In a
    /// self-controlled case series y and p are events and expected events.
    ///
    /// Terms by terms; NaN where aliased. Errors: clusters of another length.
    pub fn robust_covariance(&self, clusters: Option<&[usize]>) -> Result<SquareMatrix, Error> {
        let k = self.design.size();
        let meat = match clusters {
            None => meat_of(&self.row_scores, k),
            Some(clusters) => {
                let (sums, _) = cluster_sums(clusters, (self.design.rows(), k), |i, sum| {
                    for (s, score) in sum.iter_mut().zip(&self.row_scores[i * k..]) {
                        *s += score;
                    }
                })?;
                meat_of(&sums, k)
            }
        };
        Ok(sandwich_of(&self.design, &self.bread, &meat, 1.0))
    }
}

/// Scores summed by cluster, clusters by terms, and how many clusters there
/// are. `add` adds row i's score of n rows and k terms.
fn cluster_sums(
    clusters: &[usize],
    (n, k): (usize, usize),
    add: impl Fn(usize, &mut [f64]),
) -> Result<(Vec<f64>, usize), Error> {
    if clusters.len() != n {
        let column = "clusters".to_owned();
        return Err(Error::Length { column, found: clusters.len(), expected: n });
    }
    let count = clusters.iter().max().map_or(0, |m| m + 1);
    let mut sums = vec![0.0; count * k];
    let mut seen = vec![false; count];
    for (i, &cluster) in clusters.iter().enumerate() {
        seen[cluster] = true;
        add(i, &mut sums[cluster * k..(cluster + 1) * k]);
    }
    Ok((sums, seen.iter().filter(|s| **s).count()))
}

/// The sum of s s' over scores of k terms each.
fn meat_of(scores: &[f64], k: usize) -> SquareMatrix {
    let mut meat = SquareMatrix::zeros(k);
    for score in scores.chunks(k.max(1)) {
        for (a, &left) in score.iter().enumerate() {
            for (b, &right) in score.iter().enumerate() {
                meat.add(a, b, left * right);
            }
        }
    }
    meat
}

/// Bread, meat, bread and factor, carried back to the columns as given.
fn sandwich_of(
    design: &Design,
    bread: &SquareMatrix,
    meat: &SquareMatrix,
    factor: f64,
) -> SquareMatrix {
    let bread: Vec<Vec<f64>> = bread.rows().into_iter().map(<[f64]>::to_vec).collect();
    let mut covariance = meat.congruent(&bread);
    covariance.values_mut().iter_mut().for_each(|v| *v *= factor);
    design.covariance(&covariance)
}

/// G / (G - 1).
fn cluster_factor(count: usize) -> Result<f64, Error> {
    if count < 2 {
        return Err(Error::TooFew { needed: "two clusters or more", found: count });
    }
    Ok(count as f64 / (count as f64 - 1.0))
}
