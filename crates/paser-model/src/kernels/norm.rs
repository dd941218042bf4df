//! Root-mean-square and layer normalisation over the last dimension, sums in f64.

use super::vectorised;

const LANES: usize = 8;

#[inline(always)]
fn sum(values: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += term(f64::from(value));
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += term(f64::from(value));
    }
    lanes.iter().sum()
}

#[inline(always)]
fn rms_scale(row: &[f32], eps: f64) -> f32 {
    (1.0 / (sum(row, |value| value * value) / row.len() as f64 + eps).sqrt()) as f32
}

/// out = x / sqrt(mean(x^2) + eps) * weight, per row of `weight.len()` values.
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f64, out: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            for (row, out) in x.chunks_exact(weight.len()).zip(out.chunks_exact_mut(weight.len())) {
                let scale = rms_scale(row, eps);
                for ((out, value), weight) in out.iter_mut().zip(row).zip(weight) {
                    *out = value * scale * weight;
                }
            }
        },
    );
}

/// Adds to `dx` the gradient of the norm's input `x`, where `dy` is that of its output; and to `dweight` that of its weight,
/// unless it is empty. All but the weight [n, width].
pub(crate) fn rms_norm_back(x: &[f32], weight: &[f32], eps: f64, dy: &[f32], dx: &mut [f32], dweight: &mut [f32]) {
    let width = weight.len();
    vectorised(
        #[inline(always)]
        || {
            let rows = x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(dx.chunks_exact_mut(width));
            for ((x, dy), dx) in rows {
                let scale = rms_scale(x, eps);
                let mut lanes = [0.0_f64; LANES];
                for at in 0..width {
                    lanes[at % LANES] += f64::from(dy[at] * weight[at] * x[at]);
                }
                let along = lanes.iter().sum::<f64>() as f32;
                let pull = along * scale * scale * scale / width as f32;
                for at in 0..width {
                    dx[at] += dy[at] * weight[at] * scale - x[at] * pull;
                }
                for ((dweight, dy), x) in dweight.iter_mut().zip(dy).zip(x) {
                    *dweight += dy * x * scale;
                }
            }
        },
    );
}

/// The same over one row, in place.
#[inline(always)]
pub(crate) fn rms_norm_in_place(row: &mut [f32], weight: &[f32], eps: f64) {
    let scale = rms_scale(row, eps);
    for (value, weight) in row.iter_mut().zip(weight) {
        *value = *value * scale * weight;
    }
}

/// x = (x - mean) / sqrt(variance + eps) * weight + bias, per row, in place.
pub(crate) fn layer_norm(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f64) {
    let width = weight.len() as f64;
    vectorised(
        #[inline(always)]
        || {
            for row in x.chunks_exact_mut(weight.len()) {
                let mean = sum(row, |value| value) / width;
                let variance = sum(row, |value| (value - mean) * (value - mean)) / width;
                let (mean, scale) = (mean as f32, (1.0 / (variance + eps).sqrt()) as f32);
                for ((value, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
                    *value = (*value - mean) * scale * weight + bias;
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::{layer_norm, rms_norm};

    #[test]
    fn norms_match_their_formulas() {
        let x: Vec<f32> = (0..22).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let weight: Vec<f32> = (0..11).map(|i| 1.0 + i as f32 * 0.1).collect();
        let bias: Vec<f32> = (0..11).map(|i| i as f32 * -0.2).collect();
        let mut rms = vec![0.0; 22];
        rms_norm(&x, &weight, 1e-5, &mut rms);
        let mut layer = x.clone();
        layer_norm(&mut layer, &weight, &bias, 1e-5);
        for row in 0..2 {
            let values: Vec<f64> = x[row * 11..][..11].iter().map(|&v| f64::from(v)).collect();
            let mean = values.iter().sum::<f64>() / 11.0;
            let square = values.iter().map(|v| v * v).sum::<f64>() / 11.0;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 11.0;
            for column in 0..11 {
                let (w, b) = (f64::from(weight[column]), f64::from(bias[column]));
                let expected_rms = values[column] / (square + 1e-5).sqrt() * w;
                let expected_layer = (values[column] - mean) / (variance + 1e-5).sqrt() * w + b;
                assert!((f64::from(rms[row * 11 + column]) - expected_rms).abs() < 1e-6);
                assert!((f64::from(layer[row * 11 + column]) - expected_layer).abs() < 2e-6);
            }
        }
    }
}
