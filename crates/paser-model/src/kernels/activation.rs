//! Gated SiLU of the decoders and exact GELU of the encoders, elementwise and vectorised.

use super::{exp, vectorised};

/// out [rows, width] = silu(gate) * up, where each row of `gate_up` holds `width` gates and then `width` ups.
pub(crate) fn silu_times(gate_up: &[f32], width: usize, out: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            for (pair, out) in gate_up.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
                let (gate, up) = pair.split_at(width);
                for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                    *out = gate / (1.0 + exp(-gate)) * up;
                }
            }
        },
    );
}

/// The gradients of gate and up, laid out as `gate_up` is [n, 2 width], where `dout` [n, width] is that of
/// [`silu_times`].
pub(crate) fn silu_times_back(gate_up: &[f32], width: usize, dout: &[f32], dgate_up: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            let rows = gate_up.chunks_exact(2 * width).zip(dout.chunks_exact(width));
            for ((pair, dout), dpair) in rows.zip(dgate_up.chunks_exact_mut(2 * width)) {
                let (gate, up) = pair.split_at(width);
                let (dgate, dup) = dpair.split_at_mut(width);
                let inputs = gate.iter().zip(up).zip(dout);
                for (((&gate, &up), &dout), (dgate, dup)) in inputs.zip(dgate.iter_mut().zip(dup)) {
                    let share = 1.0 / (1.0 + exp(-gate));
                    let silu = gate * share;
                    *dup = dout * silu;
                    *dgate = dout * up * (share + silu * (1.0 - share));
                }
            }
        },
    );
}

/// x = x/2 (1 + erf(x / sqrt 2)), in place.
pub(crate) fn gelu(x: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            for value in x.iter_mut() {
                *value *= 0.5 * (1.0 + erf(*value * std::f32::consts::FRAC_1_SQRT_2));
            }
        },
    );
}

/// Abramowitz and Stegun 7.1.26: absolute error below 3e-7 in f32.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let mut p = 1.061_405_4;
    p = p * t - 1.453_152_1;
    p = p * t + 1.421_413_8;
    p = p * t - 0.284_496_74;
    p = p * t + 0.254_829_6;
    (1.0 - p * t * exp(-a * a)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::{erf, gelu, silu_times};

    #[test]
    fn erf_matches_its_series() {
        // erf x = 2 / sqrt(pi) sum (-1)^n x^(2n+1) / (n! (2n+1)), enough terms for |x| <= 4 in f64.
        for step in -400..=400 {
            let x = f64::from(step) / 100.0;
            let (mut term, mut sum) = (x, x);
            for n in 1..120 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            let exact = sum * 2.0 / std::f64::consts::PI.sqrt();
            assert!((f64::from(erf(x as f32)) - exact).abs() < 5e-7, "erf({x})");
        }
    }

    #[test]
    fn silu_gates_and_gelu_keeps_large_values() {
        let gate_up = [0.0, 2.0, -30.0, 5.0, 1.0, 3.0];
        let mut out = [0.0; 3];
        silu_times(&gate_up, 3, &mut out);
        assert!((out[0] - 0.0).abs() < 1e-7);
        assert!((out[1] - 2.0 / (1.0 + (-2.0_f32).exp())).abs() < 1e-6);
        assert!(out[2].abs() < 1e-10);
        let mut x = [-10.0, 0.0, 1.0, 10.0];
        gelu(&mut x);
        assert!(
            x[0].abs() < 1e-5 && x[1].abs() < 1e-7 && (x[2] - 0.841_344_7).abs() < 1e-6 && (x[3] - 10.0).abs() < 1e-5
        );
    }
}
