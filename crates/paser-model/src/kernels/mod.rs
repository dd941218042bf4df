//! The arithmetic of the scoring path on plain f32 rows: matrix products by faer, the rest as loops that the compiler
//! turns into the widest vector instructions of the running machine. Every function works on the calling thread alone.

mod activation;
mod attention;
mod attention_back;
mod linear;
mod norm;
mod product;
mod rope;

pub(crate) use activation::{gelu, silu_times, silu_times_back};
pub(crate) use attention::{AttentionShape, Mask, attention};
pub(crate) use attention_back::{Scratch as AttentionScratch, attention_back};
pub(crate) use linear::{Linear, matmul_transposed};
pub(crate) use norm::{layer_norm, rms_norm, rms_norm_back, rms_norm_in_place};
pub(crate) use product::{Columns, add_times_transposed, add_transposed_times, times, transposed};
pub(crate) use rope::RopeTable;

/// Runs a loop compiled for the best instruction set found at run time. `work` itself and what it calls must be
/// `inline(always)`: a call out of line would run with the instructions of the oldest machine.
#[inline]
pub(crate) fn vectorised<R>(work: impl FnMut() -> R) -> R {
    pulp::Arch::new().dispatch(Loop(work))
}

/// A closure given to `dispatch` as it is goes through a shim that is not inlined.
struct Loop<F>(F);

impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Loop<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

/// Sum and maximum go by this many independent lanes, so that they vectorise and are the same on every machine.
pub(crate) const LANES: usize = 16;

/// e^x by 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]; relative error below 2e-7. Inputs are clamped to
/// [-87.3, 88.3], where f32 can hold the result.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the rounded integer in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 355.0 / 512.0;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.3, 88.3);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let value = p * r * r + r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    value * f32::from_bits(exponent)
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn exp_is_close_over_its_whole_range() {
        for step in -87_200..88_200 {
            let x = step as f32 / 1000.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2e-7, "exp({x}) is off by {error}");
        }
        assert_eq!(exp(0.0).to_bits(), 1.0_f32.to_bits());
        assert!(exp(f32::NEG_INFINITY) < 2e-38);
    }
}
