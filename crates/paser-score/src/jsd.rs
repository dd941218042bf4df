//! The divergence kernel: two rows of logits in, one token's Jensen-Shannon divergence and by-products out
//! (method.md section 2). Owns the arithmetic and its scratch rows; knows nothing of models or samples.
//!
//! With p = softmax(dense), q = softmax(pruned), d = ln q - ln p, method.md gives
//!
//! ```text
//! jsd = 1/2 sum_v [ p (ln 2 - s1) + q (ln 2 - s2) ]     L = ln_1p(exp(-|d|)), s1 = max(d, 0) + L, s2 = max(-d, 0) + L
//! ```
//!
//! With hi = max(p, q), lo = min(p, q) the bracket is (hi + lo) (ln 2 - L) - lo |d|. For nearly equal p and q that
//! difference loses its digits, so there the same bracket is taken from t = (p - q) / (p + q) = -tanh(d / 2):
//!
//! ```text
//! (p + q) / 2 * [ (1 + t) ln(1 + t) + (1 - t) ln(1 - t) ] = (p + q) / 2 * (t^2 + t^4 / 6 + t^6 / 15 + ...)
//! ```
//!
//! Both forms are unchanged to the bit when p and q change places, and exactly 0 when they are equal.
//! -inf logits have p = 0: both -inf contributes 0, one -inf contributes (ln 2) / 2 times the other probability.
//!
//! Floor: each row is read twice (maximum, then exponentials) and its exponentials once; at a vocabulary of 32,000
//! both rows and both scratch rows are 512 KB and stay in the second-level cache. About 80 arithmetic operations a
//! vocabulary entry for both rows, under 2 % of the two heads of a hidden size of 2,048 (2 x 2 x 2,048 operations).
//! Multiplications and additions are never fused, so that every instruction set gives the same bits.

use std::f64::consts::LN_2;

/// Entries handled together; a multiple of every vector width in use.
const LANES: usize = 16;

/// Stands for an unbounded |ln q - ln p| (one probability is zero); finite, so that 0 times it is 0.
const UNBOUNDED: f32 = 1e30;

/// What one response token says about both models. Natural logarithms; nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Jensen-Shannon divergence at temperature 1, in [0, ln 2].
    pub jsd: f64,
    /// -ln p(target) of the dense model; infinite where its logit is -inf.
    pub loss_dense: f64,
    /// -ln q(target) of the pruned model.
    pub loss_pruned: f64,
    /// sum p ln(p / q), not negative; infinite where q is 0 and p is not.
    pub kl_dense_pruned: f64,
    /// sum q ln(q / p), not negative.
    pub kl_pruned_dense: f64,
    /// -sum p ln p.
    pub entropy_dense: f64,
    /// -sum q ln q.
    pub entropy_pruned: f64,
    /// Most probable token of the dense model; ties to the lowest id.
    pub top1_dense: u32,
    /// Most probable token of the pruned model; ties to the lowest id.
    pub top1_pruned: u32,
}

/// The kernel with its scratch rows; one per worker thread.
pub struct Kernel {
    arch: pulp::Arch,
    dense: Vec<f32>,
    pruned: Vec<f32>,
}

/// A row after its first pass: exponentials stand in the scratch row.
struct Row {
    max: f32,
    /// ln sum exp(x - max).
    log_sum: f64,
    /// 1 / sum exp(x - max).
    scale: f32,
    entropy: f64,
}

struct Sums {
    jsd: f64,
    kl_dense_pruned: f64,
    kl_pruned_dense: f64,
}

impl Default for Kernel {
    fn default() -> Self {
        Self::new()
    }
}

impl Kernel {
    pub fn new() -> Self {
        Self { arch: pulp::Arch::new(), dense: Vec::new(), pruned: Vec::new() }
    }

    /// Everything about one response token. `dense` and `pruned`: logits `[V]` of the position before the token;
    /// `target`: the token's id, under V. `None` when a row is no distribution: it holds NaN or +inf, or only -inf.
    ///
    /// # Panics
    /// When the rows differ in length or `target` is outside them: the caller's mistake, not the data's.
    pub fn measure(&mut self, dense: &[f32], pruned: &[f32], target: u32) -> Option<Measures> {
        assert_eq!(dense.len(), pruned.len(), "rows of logits must be cut to the same vocabulary");
        let target = target as usize;
        let first = exponentials(self.arch, dense, &mut self.dense)?;
        let second = exponentials(self.arch, pruned, &mut self.pruned)?;
        let sums = compare(self.arch, [dense, pruned], [&self.dense, &self.pruned], [&first, &second]);
        let loss = |row: &Row, logits: &[f32]| (f64::from(row.max) - f64::from(logits[target])) + row.log_sum;
        Some(Measures {
            jsd: sums.jsd,
            loss_dense: loss(&first, dense),
            loss_pruned: loss(&second, pruned),
            kl_dense_pruned: sums.kl_dense_pruned,
            kl_pruned_dense: sums.kl_pruned_dense,
            entropy_dense: first.entropy,
            entropy_pruned: second.entropy,
            top1_dense: position(dense, first.max),
            top1_pruned: position(pruned, second.max),
        })
    }
}

impl Kernel {
    /// -ln of the probability that one model gives a token, infinite where its logit is -inf. `None` as in
    /// [`Self::measure`].
    ///
    /// # Panics
    /// When `target` is outside the row.
    pub fn loss(&mut self, logits: &[f32], target: u32) -> Option<f64> {
        self.loss_and_top(logits, target).map(|(loss, _)| loss)
    }

    /// [`Self::loss`] with the most probable token; ties to the lowest id.
    ///
    /// # Panics
    /// When `target` is outside the row.
    pub fn loss_and_top(&mut self, logits: &[f32], target: u32) -> Option<(f64, u32)> {
        let row = exponentials(self.arch, logits, &mut self.dense)?;
        let loss = (f64::from(row.max) - f64::from(logits[target as usize])) + row.log_sum;
        Some((loss, position(logits, row.max)))
    }
}

fn position(logits: &[f32], max: f32) -> u32 {
    logits.iter().position(|&x| x == max).unwrap_or(0) as u32
}

struct FirstPass<'a> {
    logits: &'a [f32],
    out: &'a mut [f32],
}

// A closure would not be inlined into the function that has the wide instructions.
impl pulp::NullaryFnOnce for FirstPass<'_> {
    type Output = (f32, f64, f64);

    #[inline(always)]
    fn call(self) -> Self::Output {
        let max = maximum(self.logits);
        let (sum, weighted) = exponentiate(self.logits, max, self.out);
        (max, sum, weighted)
    }
}

/// First pass over one row: maximum, then exp(x - max) into `out`, their sum and the entropy.
fn exponentials(arch: pulp::Arch, logits: &[f32], out: &mut Vec<f32>) -> Option<Row> {
    out.resize(logits.len(), 0.0);
    let (max, sum, weighted) = arch.dispatch(FirstPass { logits, out });
    if !sum.is_finite() || !weighted.is_finite() {
        return None;
    }
    let log_sum = sum.ln();
    // entropy = ln sum - (1 / sum) sum e^z z, with z = x - max
    Some(Row { max, log_sum, scale: (1.0 / sum) as f32, entropy: (log_sum - weighted / sum).max(0.0) })
}

#[inline(always)]
fn maximum(logits: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = logits.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max })
}

#[inline(always)]
fn exponentiate(logits: &[f32], max: f32, out: &mut [f32]) -> (f64, f64) {
    let mut sum = [0.0f64; LANES];
    let mut weighted = [0.0f64; LANES];
    let mut read = logits.chunks_exact(LANES);
    let mut write = out.chunks_exact_mut(LANES);
    for (chunk, target) in (&mut read).zip(&mut write) {
        let mut e = [0.0f32; LANES];
        let mut product = [0.0f32; LANES];
        for lane in 0..LANES {
            let z = chunk[lane] - max;
            e[lane] = exp_nonpositive(z);
            product[lane] = e[lane] * clamp_low(z);
        }
        target.copy_from_slice(&e);
        for lane in 0..LANES {
            sum[lane] += f64::from(e[lane]);
            weighted[lane] += f64::from(product[lane]);
        }
    }
    let mut total = (0.0, 0.0);
    for lane in 0..LANES {
        total.0 += sum[lane];
        total.1 += weighted[lane];
    }
    for (x, target) in read.remainder().iter().zip(write.into_remainder()) {
        let z = x - max;
        *target = exp_nonpositive(z);
        total.0 += f64::from(*target);
        total.1 += f64::from(*target * clamp_low(z));
    }
    total
}

struct SecondPass<'a> {
    logits: [&'a [f32]; 2],
    exponentials: [&'a [f32]; 2],
    max: [f32; 2],
    scale: [f32; 2],
    shift: f32,
}

impl pulp::NullaryFnOnce for SecondPass<'_> {
    type Output = [f64; 3];

    #[inline(always)]
    fn call(self) -> Self::Output {
        sum_terms(self.logits, self.exponentials, self.max, self.scale, self.shift)
    }
}

/// Second pass over both rows.
fn compare(arch: pulp::Arch, logits: [&[f32]; 2], exponentials: [&[f32]; 2], rows: [&Row; 2]) -> Sums {
    // d = (y - max_y) - (x - max_x) - shift: differences of the shifted logits, so that large logits cost no digits
    let shift = (rows[1].log_sum - rows[0].log_sum) as f32;
    let [jsd, forward, backward] = arch.dispatch(SecondPass {
        logits,
        exponentials,
        max: [rows[0].max, rows[1].max],
        scale: [rows[0].scale, rows[1].scale],
        shift,
    });
    let divergence = |sum: f64| if sum > f64::from(UNBOUNDED) * 1e-8 { f64::INFINITY } else { sum.max(0.0) };
    Sums {
        jsd: (0.5 * jsd).clamp(0.0, LN_2),
        kl_dense_pruned: divergence(-forward),
        kl_pruned_dense: divergence(backward),
    }
}

/// Sums over the vocabulary: [2 jsd, sum p d, sum q d].
#[inline(always)]
fn sum_terms(
    [x, y]: [&[f32]; 2],
    [ex, ey]: [&[f32]; 2],
    [max_x, max_y]: [f32; 2],
    [scale_x, scale_y]: [f32; 2],
    shift: f32,
) -> [f64; 3] {
    let mut sums = [[0.0f64; LANES]; 3];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let (exs, eys) = (ex.chunks_exact(LANES), ey.chunks_exact(LANES));
    let rest = (xs.remainder(), ys.remainder(), exs.remainder(), eys.remainder());
    for (((x, y), ex), ey) in xs.zip(ys).zip(exs).zip(eys) {
        let mut terms = [[0.0f32; LANES]; 3];
        for lane in 0..LANES {
            let [jsd, forward, backward] =
                term([x[lane] - max_x, y[lane] - max_y], [ex[lane] * scale_x, ey[lane] * scale_y], shift);
            terms[0][lane] = jsd;
            terms[1][lane] = forward;
            terms[2][lane] = backward;
        }
        for (sum, term) in sums.iter_mut().zip(&terms) {
            for lane in 0..LANES {
                sum[lane] += f64::from(term[lane]);
            }
        }
    }
    let mut total = sums.map(|lanes| lanes.iter().sum::<f64>());
    for (((x, y), ex), ey) in rest.0.iter().zip(rest.1).zip(rest.2).zip(rest.3) {
        let terms = term([x - max_x, y - max_y], [ex * scale_x, ey * scale_y], shift);
        for (total, term) in total.iter_mut().zip(terms) {
            *total += f64::from(term);
        }
    }
    total
}

/// One vocabulary entry: [the bracket of the jsd, p d, q d].
#[inline(always)]
fn term([zx, zy]: [f32; 2], [p, q]: [f32; 2], shift: f32) -> [f32; 3] {
    let difference = (zy - zx) - shift;
    let distance = difference.abs();
    // also catches NaN, which two -inf logits give
    let distance = if distance < UNBOUNDED { distance } else { UNBOUNDED };
    let signed = if difference > 0.0 { distance } else { -distance };

    let both = p + q;
    let divisor = if both > f32::MIN_POSITIVE { both } else { f32::MIN_POSITIVE };
    let t = (p - q) / divisor;
    let u = t * t;
    let near = 0.5 * both * (u * near_series(u));

    let high = if p > q { p } else { q };
    let low = if p > q { q } else { p };
    let high_divisor = if high > f32::MIN_POSITIVE { high } else { f32::MIN_POSITIVE };
    let ratio = low / high_divisor;
    let far = both * (LN_2 as f32 - ratio * ln_1p_over(ratio)) - low * distance;

    let jsd = if u < NEAR { near } else { far };
    [jsd, p * signed, q * signed]
}

/// Below this t^2 the series is used; there ratio = 0.3715 and |d| = 0.99.
const NEAR: f32 = 0.21;

/// [(1 + t) ln(1 + t) + (1 - t) ln(1 - t)] / t^2 as a polynomial in u = t^2 in [0, 0.22]; relative error 4e-9.
#[inline(always)]
fn near_series(u: f32) -> f32 {
    let mut sum = 0.023_317_616f32;
    sum = sum * u + 0.020_504_1;
    sum = sum * u + 0.035_854_747;
    sum = sum * u + 0.066_662_734;
    sum = sum * u + 0.166_666_68;
    sum * u + 1.0
}

/// ln(1 + r) / r for r in [0, 0.3875]; relative error 2e-9.
#[inline(always)]
fn ln_1p_over(r: f32) -> f32 {
    let mut sum = -0.043_018_893f32;
    sum = sum * r + 0.108_347_75;
    sum = sum * r - 0.158_541_51;
    sum = sum * r + 0.198_965_6;
    sum = sum * r - 0.249_935_54;
    sum = sum * r + 0.333_331_8;
    sum = sum * r - 0.5;
    sum * r + 1.0
}

const LOWEST: f32 = -87.0;

#[inline(always)]
fn clamp_low(z: f32) -> f32 {
    // this way round NaN stays NaN
    if z < LOWEST { LOWEST } else { z }
}

/// exp(z) for z <= 0 within one unit in the last place; exactly 1 at 0, exactly 0 below -87, NaN for NaN.
/// z = n ln 2 + f, exp(z) = 2^n (1 + f + f^2 P(f)).
#[inline(always)]
fn exp_nonpositive(z: f32) -> f32 {
    // adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let inside = clamp_low(z);
    let shifted = inside * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let f = (inside - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut sum = 1.987_569_1e-4f32;
    sum = sum * f + 1.398_2e-3;
    sum = sum * f + 8.333_452e-3;
    sum = sum * f + 4.166_579_6e-2;
    sum = sum * f + 0.166_666_66;
    sum = sum * f + 0.5;
    let mantissa = f * f * sum + f + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    let value = mantissa * power;
    if z < LOWEST { 0.0 } else { value }
}

#[cfg(test)]
mod tests;
