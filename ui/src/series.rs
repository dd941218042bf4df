//! What is done with curves before they are drawn: means over seeds with their interval, smoothing, thinning, logarithmic
//! ticks, and labels that do not cover each other.

/// One look at a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    pub step: u32,
    /// On the axis that is shown: steps, tokens or seconds.
    pub x: f64,
    pub value: f64,
}

/// The mean over seeds at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    pub step: u32,
    pub x: f64,
    pub mean: f64,
    /// Half of the 95 % interval of the mean, by Student's t; none of a single seed.
    pub half: Option<f64>,
}

/// 97.5 % points of Student's t for 1 to 30 degrees of freedom (any table of the distribution); beyond, the normal one.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Mean, and half of its 95 % interval: t(n - 1) * s / sqrt(n). None without values.
pub fn mean_of(values: &[f64]) -> Option<(f64, Option<f64>)> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let half = (n > 1).then(|| {
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let t = STUDENT.get(n - 2).copied().unwrap_or(1.96);
        t * (squares / (n - 1) as f64 / n as f64).sqrt()
    });
    Some((mean, half))
}

/// Means at the steps that every run has. Runs come by rising steps.
pub fn average(runs: &[Vec<Reading>]) -> Vec<Mean> {
    let Some((first, others)) = runs.split_first() else { return Vec::new() };
    let mut places = vec![0_usize; others.len()];
    let mut means = Vec::new();
    for reading in first {
        let mut at = vec![*reading];
        for (run, place) in others.iter().zip(&mut places) {
            while run.get(*place).is_some_and(|other| other.step < reading.step) {
                *place += 1;
            }
            at.extend(run.get(*place).filter(|other| other.step == reading.step));
        }
        if at.len() < runs.len() {
            continue;
        }
        let values: Vec<f64> = at.iter().map(|reading| reading.value).collect();
        if let Some((mean, half)) = mean_of(&values) {
            let x = at.iter().map(|reading| reading.x).sum::<f64>() / at.len() as f64;
            means.push(Mean { step: reading.step, x, mean, half });
        }
    }
    means
}

/// Exponential moving average with `weight` (0 to 1) on what came before, divided by the weights so far, so that the
/// beginning is not pulled to 0.
pub fn smooth(points: &[[f64; 2]], weight: f64) -> Vec<[f64; 2]> {
    let (mut sum, mut weights) = (0.0, 0.0);
    points
        .iter()
        .map(|[x, y]| {
            sum = weight * sum + (1.0 - weight) * y;
            weights = weight * weights + (1.0 - weight);
            [*x, if weights > 0.0 { sum / weights } else { *y }]
        })
        .collect()
}

/// At most about `most` points: of each stretch its lowest and its highest, so that no peak is lost; both ends stay.
pub fn thin(points: &[[f64; 2]], most: usize) -> Vec<[f64; 2]> {
    if points.len() <= most || most < 4 {
        return points.to_vec();
    }
    let (first, last) = (points[0], points[points.len() - 1]);
    let inner = &points[1..points.len() - 1];
    let length = inner.len().div_ceil((most - 2) / 2);
    let mut kept = vec![first];
    for stretch in inner.chunks(length) {
        let by_value = |a: &(usize, &[f64; 2]), b: &(usize, &[f64; 2])| a.1[1].total_cmp(&b.1[1]);
        let low = stretch.iter().enumerate().min_by(by_value);
        let high = stretch.iter().enumerate().max_by(by_value);
        if let (Some((low, lowest)), Some((high, highest))) = (low, high) {
            match low.cmp(&high) {
                std::cmp::Ordering::Less => kept.extend([*lowest, *highest]),
                std::cmp::Ordering::Greater => kept.extend([*highest, *lowest]),
                std::cmp::Ordering::Equal => kept.push(*lowest),
            }
        }
    }
    kept.push(last);
    kept
}

/// Ticks of a logarithmic axis between two exponents of ten: 1, 2 and 5 of each power where there are few powers, else the
/// powers alone. Values, not exponents.
pub fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    if !low.is_finite() || !high.is_finite() || high <= low || high - low > 60.0 {
        return Vec::new();
    }
    let between = |value: &f64| (low - 1e-9..=high + 1e-9).contains(&value.log10());
    let powers = (low.floor() as i32..=high.ceil() as i32).map(|power| 10_f64.powi(power));
    let steps: &[f64] = if high - low > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let ticks: Vec<f64> = powers.flat_map(|power| steps.iter().map(move |step| step * power)).filter(between).collect();
    if ticks.len() > 2 {
        return ticks;
    }
    // Less than a decade: even steps read better.
    let (low, high) = (10_f64.powf(low), 10_f64.powf(high));
    let step = even_step(low, high);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|place| place as f64 * step).filter(|tick| *tick > 0.0).collect()
}

/// A step of 1, 2 or 5 times a power of ten that divides the range into at most five.
pub fn even_step(low: f64, high: f64) -> f64 {
    let rough = (high - low) / 5.0;
    if !rough.is_finite() || rough <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|step| step * power).find(|step| *step >= rough).unwrap_or(10.0 * power)
}

/// Places for labels that want these (any order), at least `gap` apart and between `low` and `high` where they fit: each as
/// near to its own as the order allows.
pub fn spread(wanted: &[f32], gap: f32, low: f32, high: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut places = vec![0.0; wanted.len()];
    let mut least = low;
    for at in &order {
        places[*at] = wanted[*at].max(least);
        least = places[*at] + gap;
    }
    let mut most = high;
    for at in order.iter().rev() {
        places[*at] = places[*at].min(most);
        most = places[*at] - gap;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: &[(u32, f64)]) -> Vec<Reading> {
        values.iter().map(|(step, value)| Reading { step: *step, x: f64::from(*step) * 10.0, value: *value }).collect()
    }

    #[test]
    fn a_mean_stands_only_where_every_seed_has_come_to() {
        let means = average(&[run(&[(0, 2.0), (10, 1.0), (20, 0.5)]), run(&[(0, 4.0), (5, 9.0), (20, 1.5)])]);
        assert_eq!(means.iter().map(|mean| (mean.step, mean.mean)).collect::<Vec<_>>(), [(0, 3.0), (20, 1.0)]);
        // Two values 1 apart: s / sqrt(2) = 0.5, t(1) = 12.706.
        assert!((means[1].half.unwrap_or_default() - 6.353).abs() < 1e-9);
        assert_eq!(average(&[run(&[(0, 2.0)])])[0].half, None, "one seed has no interval");
    }

    #[test]
    fn smoothing_begins_at_the_first_value_and_leaves_a_level_line_alone() {
        let level: Vec<[f64; 2]> = (0..50).map(|x| [f64::from(x), 3.0]).collect();
        assert!(smooth(&level, 0.9).iter().all(|[_, y]| (y - 3.0).abs() < 1e-12));
        let points = [[0.0, 1.0], [1.0, 0.0]];
        let smoothed = smooth(&points, 0.5);
        assert_eq!(smoothed[0], [0.0, 1.0]);
        assert!((smoothed[1][1] - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(smooth(&points, 0.0), points);
    }

    #[test]
    fn a_thinned_line_keeps_its_ends_and_its_peaks() {
        let mut points: Vec<[f64; 2]> = (0..50_000).map(|x| [f64::from(x), (f64::from(x) * 0.01).sin()]).collect();
        points[31_337][1] = 40.0;
        points[777][1] = -40.0;
        let thinned = thin(&points, 2_000);
        assert!(thinned.len() <= 2_000, "{}", thinned.len());
        assert!(thinned.contains(&[31_337.0, 40.0]) && thinned.contains(&[777.0, -40.0]));
        assert_eq!((thinned[0], thinned[thinned.len() - 1]), (points[0], points[49_999]));
        assert!(thinned.windows(2).all(|pair| pair[0][0] < pair[1][0]), "in the order of x");
        assert_eq!(thin(&points[..2_000], 2_000), points[..2_000]);
    }

    #[test]
    fn ticks_of_a_logarithmic_axis_are_few_and_inside() {
        assert_eq!(log_ticks(0.0, 2.0), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(log_ticks(-1.0, 4.0), [0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0]);
        let narrow = log_ticks(1.05_f64.log10(), 1.45_f64.log10());
        assert!(
            (3..=6).contains(&narrow.len()) && narrow.iter().all(|tick| (1.05..=1.45).contains(tick)),
            "{narrow:?}"
        );
        assert!(log_ticks(f64::NEG_INFINITY, 1.0).is_empty());
    }

    #[test]
    fn labels_keep_their_distance_and_their_order() {
        let places = spread(&[100.0, 101.0, 40.0, 102.0], 14.0, 0.0, 120.0);
        assert_eq!(places[2], 40.0, "one that is alone stays");
        let mut sorted = places.clone();
        sorted.sort_by(f32::total_cmp);
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= 14.0 - 1e-3), "{places:?}");
        assert!(places[0] < places[1] && places[1] < places[3] && places[3] <= 120.0, "{places:?}");
    }
}
