//! Robust (sandwich) covariance of generalised linear models.

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
        let bread: Vec<Vec<f64>> = self.bread.rows().into_iter().map(<[f64]>::to_vec).collect();
        let mut covariance = meat.congruent(&bread);
        covariance.values_mut().iter_mut().for_each(|v| *v *= factor);
        Ok(self.design.covariance(&covariance))
    }

    fn meat_of_rows(&self) -> SquareMatrix {
        let squares: Vec<f64> = self.row_scores.iter().map(|s| s * s).collect();
        self.design.weighted_cross_product(&squares)
    }

    fn meat_of_clusters(&self, clusters: &[usize]) -> Result<(SquareMatrix, usize), Error> {
        let (n, k) = (self.row_scores.len(), self.design.size());
        if clusters.len() != n {
            let column = "clusters".to_owned();
            return Err(Error::Length { column, found: clusters.len(), expected: n });
        }
        let count = clusters.iter().max().map_or(0, |m| m + 1);
        let mut sums = vec![0.0; count * k];
        let mut seen = vec![false; count];
        for (i, &cluster) in clusters.iter().enumerate() {
            seen[cluster] = true;
            let sum = &mut sums[cluster * k..(cluster + 1) * k];
            for (s, x) in sum.iter_mut().zip(self.design.row(i)) {
                *s += self.row_scores[i] * x;
            }
        }
        let mut meat = SquareMatrix::zeros(k);
        for sum in sums.chunks(k.max(1)) {
            for (a, &left) in sum.iter().enumerate() {
                for (b, &right) in sum.iter().enumerate() {
                    meat.add(a, b, left * right);
                }
            }
        }
        Ok((meat, seen.iter().filter(|s| **s).count()))
    }
}

/// G / (G - 1).
fn cluster_factor(count: usize) -> Result<f64, Error> {
    if count < 2 {
        return Err(Error::TooFew { needed: "two clusters or more", found: count });
    }
    Ok(count as f64 / (count as f64 - 1.0))
}
