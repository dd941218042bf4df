//! How badly each cluster was hurt: the capability degradation score with its interval, whole and after the first
//! response token (section 2 of the method, `cds(cluster)`).

use paser_protocol::Damage;

use crate::columns::Score;

/// Damage of one cluster: the mean divergence of its scored samples, in nats, with the 95 % interval of that mean
/// (Student's t with n - 1 degrees of freedom, cut to [0, ln 2]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cds {
    /// Mean divergence over the scored samples.
    pub mean: f64,
    /// Lower end of the interval; `None` with a single sample.
    pub low: Option<f64>,
    /// Upper end of the interval; `None` with a single sample.
    pub high: Option<f64>,
    /// Scored samples behind the mean.
    pub n: u64,
    /// Mean divergence after the first response token; `None` where no sample has a second one.
    pub rest: Option<f64>,
    /// Samples behind `rest`.
    pub rest_n: u64,
}

impl Cds {
    /// The mean under the chosen damage.
    pub fn damage(&self, damage: Damage) -> Option<f64> {
        match damage {
            Damage::Whole => Some(self.mean),
            Damage::AfterFirstToken => self.rest,
        }
    }
}

/// Damage of every cluster over its scored samples that are not held out; `None` for a cluster without any. `order`:
/// the rows in content-hash order ([`paser_protocol::order_by_hash`]), in which the sums run; `labels[row]` is the
/// cluster of a row, below `clusters`.
pub fn cluster_damage(
    order: &[u32],
    labels: &[u32],
    clusters: usize,
    scores: &[Option<Score>],
    held_out: &[bool],
) -> Vec<Option<Cds>> {
    damage_by_label(order, labels, clusters, scores, |row| !held_out[row])
}

pub(crate) fn damage_by_label(
    order: &[u32],
    labels: &[u32],
    clusters: usize,
    scores: &[Option<Score>],
    counts: impl Fn(usize) -> bool,
) -> Vec<Option<Cds>> {
    let mut whole: Vec<Vec<f64>> = vec![Vec::new(); clusters];
    let mut rest: Vec<(f64, u64)> = vec![(0.0, 0); clusters];
    for &row in order {
        let row = row as usize;
        let Some(score) = scores[row].as_ref().filter(|_| counts(row)) else { continue };
        let cluster = labels[row] as usize;
        whole[cluster].push(score.jsd);
        if let Some(value) = score.jsd_rest {
            rest[cluster].0 += value;
            rest[cluster].1 += 1;
        }
    }
    whole
        .iter()
        .zip(rest)
        .map(|(values, (rest_sum, rest_n))| {
            (!values.is_empty()).then(|| {
                let n = values.len() as f64;
                let mean = values.iter().sum::<f64>() / n;
                let half = (values.len() > 1).then(|| {
                    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
                    student_t_975(values.len() as u64 - 1) * (variance / n).sqrt()
                });
                Cds {
                    mean,
                    low: half.map(|half| (mean - half).max(0.0)),
                    high: half.map(|half| (mean + half).min(std::f64::consts::LN_2.max(mean))),
                    n: values.len() as u64,
                    rest: (rest_n > 0).then(|| rest_sum / rest_n as f64),
                    rest_n,
                }
            })
        })
        .collect()
}

/// The 97.5 % quantile of Student's t: tabulated to 10 degrees of freedom, beyond by the expansion in 1 / nu around the
/// normal quantile z (Abramowitz and Stegun 26.7.5), there exact to 1e-5.
fn student_t_975(degrees: u64) -> f64 {
    const TABLE: [f64; 10] = [
        12.706_204_736_432_1,
        4.302_652_729_911_28,
        3.182_446_305_284_26,
        2.776_445_105_198_3,
        2.570_581_835_636_31,
        2.446_911_848_791_3,
        2.364_624_251_592_78,
        2.306_004_135_033_37,
        2.262_157_162_740_99,
        2.228_138_851_964_94,
    ];
    if let Some(value) = degrees.checked_sub(1).and_then(|index| TABLE.get(index as usize)) {
        return *value;
    }
    let z: f64 = 1.959_963_984_540_054;
    let nu = degrees.max(1) as f64;
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
        (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5) - 1920.0 * z.powi(3) - 945.0 * z) / 92_160.0,
    ];
    terms.iter().rev().fold(0.0, |sum, term| (sum + term) / nu) + z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_quantiles_match_published_tables() {
        for (degrees, expected) in
            [(1, 12.706_204_74), (5, 2.570_581_84), (11, 2.200_985_16), (20, 2.085_963_45), (100, 1.983_971_52)]
        {
            let got = student_t_975(degrees);
            assert!((got - expected).abs() < 1e-5, "{degrees}: {got}");
        }
        assert!((student_t_975(1_000_000) - 1.959_966_36).abs() < 1e-7);
    }
}
