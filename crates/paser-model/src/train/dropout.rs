//! Which inputs of a low-rank addition a step leaves out. The choice is a hash of seed, step, layer, projection, sample,
//! position and column, so that it is the same in the second forward pass, on any number of threads, and after a resume.

use crate::Projection;
use crate::kernels::vectorised;

/// Dropout of one step.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    /// Share left out, 0 to below 1.
    pub share: f64,
    pub seed: u64,
    pub step: u64,
}

/// Finaliser of MurmurHash3 (Appleby, public domain): every bit of the input moves every bit of the result.
#[inline(always)]
fn mix32(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn mix64(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Dropout {
    pub(super) fn is_off(&self) -> bool {
        self.share <= 0.0
    }

    /// A key for each row: `rows` gives its sample (a number that is the sample's own) and its position in it.
    pub(super) fn keys(&self, layer: usize, projection: Projection, rows: &[(u64, u32)], out: &mut Vec<u32>) {
        let place = (layer as u64) << 8 | projection as u64;
        let step = mix64(mix64(mix64(self.seed) ^ self.step) ^ place);
        out.clear();
        out.extend(
            rows.iter().map(|&(sample, position)| (mix64(step ^ mix64(sample) ^ u64::from(position)) >> 32) as u32),
        );
    }

    /// out = x with what is left out at 0 and the rest divided by the share that is kept; `keys` of the rows.
    pub(super) fn apply(&self, keys: &[u32], x: &[f32], out: &mut [f32]) {
        self.each(keys, x, out, |out, value| *out = value);
    }

    /// out += the same.
    pub(super) fn add(&self, keys: &[u32], x: &[f32], out: &mut [f32]) {
        self.each(keys, x, out, |out, value| *out += value);
    }

    #[inline(always)]
    fn each(&self, keys: &[u32], x: &[f32], out: &mut [f32], put: impl Fn(&mut f32, f32)) {
        let width = x.len() / keys.len().max(1);
        let least = (self.share * f64::from(u32::MAX)) as u32;
        let factor = (1.0 / (1.0 - self.share)) as f32;
        vectorised(
            #[inline(always)]
            || {
                for ((key, x), out) in keys.iter().zip(x.chunks_exact(width)).zip(out.chunks_exact_mut(width)) {
                    for (column, (x, out)) in x.iter().zip(out).enumerate() {
                        let kept = mix32(key ^ (column as u32).wrapping_mul(0x9e37_79b9)) >= least;
                        put(out, if kept { x * factor } else { 0.0 });
                    }
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_share_is_left_out_and_the_mean_stays() {
        let dropout = Dropout { share: 0.05, seed: 3, step: 17 };
        let rows: Vec<(u64, u32)> = (0..400).map(|row| (row / 40, (row % 40) as u32)).collect();
        let mut keys = Vec::new();
        dropout.keys(1, Projection::Up, &rows, &mut keys);
        let x = vec![1.0_f32; 400 * 256];
        let mut out = vec![f32::NAN; x.len()];
        dropout.apply(&keys, &x, &mut out);
        let left_out = out.iter().filter(|value| **value == 0.0).count() as f64 / x.len() as f64;
        assert!((left_out - 0.05).abs() < 0.003, "{left_out}");
        let by_column: Vec<usize> = (0..256)
            .map(|column| out.iter().skip(column).step_by(256).filter(|value| **value == 0.0).count())
            .collect();
        assert!(by_column.iter().all(|count| (2..60).contains(count)), "every column is hit alike: {by_column:?}");
        let mut others = Vec::new();
        dropout.keys(1, Projection::Gate, &rows, &mut others);
        assert_ne!(keys, others, "projections draw for themselves");
        let mut again = Vec::new();
        dropout.keys(1, Projection::Up, &rows[7..], &mut again);
        assert_eq!(keys[7..], again, "a row's choice does not depend on its neighbours");
    }
}
