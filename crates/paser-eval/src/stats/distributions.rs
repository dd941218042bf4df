//! Quantiles and tails of the normal and Student's t distribution, as far as intervals and tests need them.

/// P(Z <= z). Complementary error function by W. J. Cody's idea of a continued fraction for large, a series for small
/// arguments; absolute error below 1e-12.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z / std::f64::consts::SQRT_2)
}

fn erfc(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 2.5 {
        // erf x = 2 / sqrt(pi) e^(-x^2) sum 2^n x^(2n+1) / (1 3 5 ... (2n+1)): every term is positive.
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * a * a / (2.0 * n + 1.0);
            sum += term;
        }
        1.0 - 2.0 / std::f64::consts::PI.sqrt() * (-a * a).exp() * sum
    } else {
        let mut fraction = 0.0;
        for n in (1..80).rev() {
            fraction = f64::from(n) / 2.0 / (a + fraction);
        }
        (-a * a).exp() / std::f64::consts::PI.sqrt() / (a + fraction)
    };
    if x < 0.0 { 2.0 - value } else { value }
}

/// The z below which lies the share `p` of a normal distribution.
pub fn normal_quantile(p: f64) -> f64 {
    bisect(|z| normal_cdf(z) - p, 40.0)
}

/// P(T <= t) with `df` degrees of freedom, at least 1; fractions are allowed.
pub fn t_cdf(t: f64, df: f64) -> f64 {
    if df > 1e6 {
        return normal_cdf(t);
    }
    let tail = 0.5 * incomplete_beta(df / (df + t * t), df / 2.0, 0.5);
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The t below which lies the share `p`.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if p < 0.5 {
        return -t_quantile(1.0 - p, df);
    }
    let z = normal_quantile(p);
    if df > 1e6 {
        return z;
    }
    // Newton's steps from the normal quantile, which lies below: the distribution function bends down there, so that every
    // step but the first stays below, too.
    let front = (ln_gamma(0.5 * (df + 1.0)) - ln_gamma(0.5 * df)).exp() / (df * std::f64::consts::PI).sqrt();
    let mut t = z + (z * z * z + z) / (4.0 * df);
    for _ in 0..200 {
        let density = front * (1.0 + t * t / df).powf(-0.5 * (df + 1.0));
        let step = (t_cdf(t, df) - p) / density;
        let next = (t - step).clamp(0.0, 4.0 * t + 1.0);
        if (next - t).abs() <= 1e-12 * (1.0 + t) {
            return next;
        }
        t = next;
    }
    t
}

/// The zero of a rising function.
fn bisect(f: impl Fn(f64) -> f64, most: f64) -> f64 {
    let (mut low, mut high) = (-most, most);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if f(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
        if high - low < 1e-12 * (1.0 + middle.abs()) {
            break;
        }
    }
    0.5 * (low + high)
}

/// By how much the root of an unbiased variance with `df` degrees of freedom falls short of the true deviation on average.
pub fn shortfall(df: f64) -> f64 {
    if df > 1e4 {
        return 1.0;
    }
    (2.0 / df).sqrt() * (ln_gamma(0.5 * (df + 1.0)) - ln_gamma(0.5 * df)).exp()
}

/// ln Gamma by Lanczos' approximation (g = 7, nine terms); relative error below 1e-13 for x > 0.
pub(super) fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = TERMS.iter().enumerate().skip(1).fold(TERMS[0], |sum, (n, term)| sum + term / (x + n as f64));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// Regularised incomplete beta function by its continued fraction (Lentz).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    let tiny = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let (mut c, mut d) = (1.0, 1.0 / tiny(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        for part in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / tiny(1.0 + part * d);
            c = tiny(1.0 + part / c);
            fraction *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_tables() {
        for (p, z) in [(0.975, 1.959_963_985), (0.8, 0.841_621_234), (0.5, 0.0), (0.005, -2.575_829_304)] {
            assert!((normal_quantile(p) - z).abs() < 1e-8, "{p}");
        }
        for (df, t) in [(1.0, 12.706_204_736), (2.0, 4.302_652_73), (4.0, 2.776_445_105), (30.0, 2.042_272_456)] {
            assert!((t_quantile(0.975, df) - t).abs() < 1e-7, "{df}: {}", t_quantile(0.975, df));
        }
        assert!((t_cdf(-2.0, 2.5) + t_cdf(2.0, 2.5) - 1.0).abs() < 1e-12);
        assert!((normal_cdf(-3.0) - 0.001_349_898_031_630).abs() < 1e-12);
    }
}
