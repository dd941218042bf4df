//! The axes of the curves, linear or logarithmic: places, ticks and their words.

use egui_plot::GridMark;

use super::lines::Lines;
use crate::{
    format,
    recovery::Axis,
    series::{even_step, log_ticks},
};

/// An axis, maybe of logarithms: what is drawn is the logarithm, what is written the value.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub log: bool,
    /// What a number on the axis stands for: 60 where seconds are read as minutes.
    pub unit: f64,
    /// The last step, where the axis is of steps: ticks are quarters of it.
    pub steps: Option<u32>,
}

impl Scale {
    /// None: it has no place on the axis.
    pub(super) fn place(self, value: f64) -> Option<f64> {
        let value = value / self.unit;
        let place = if self.log { value.log10() } else { value };
        place.is_finite().then_some(place)
    }

    pub(super) fn value(self, place: f64) -> f64 {
        self.unit * if self.log { 10_f64.powf(place) } else { place }
    }

    pub(super) fn ticks(self, (low, high): (f64, f64)) -> Vec<GridMark> {
        if self.log {
            let ticks = log_ticks(low, high);
            let decade = GridMark { value: 0.0, step_size: 1.0 };
            return ticks.into_iter().map(|tick| GridMark { value: tick.log10(), ..decade }).collect();
        }
        let quarter = self.steps.filter(|steps| steps.is_multiple_of(4)).map(|steps| f64::from(steps / 4));
        let step_size = quarter.filter(|quarter| *quarter > 0.0).unwrap_or_else(|| even_step(low, high));
        even_ticks((low, high), step_size)
    }

    pub(super) fn words(self, mark: GridMark, share: bool, whole: bool) -> String {
        let value = if self.log { 10_f64.powf(mark.value) } else { mark.value };
        let (value, step) = if share { (value * 100.0, mark.step_size * 100.0) } else { (value, mark.step_size) };
        if whole && value >= 10_000.0 {
            return format::short(value.round() as u64);
        }
        let places = if self.log {
            (1.0 - value.abs().log10()).ceil().clamp(0.0, 4.0)
        } else {
            (-step.log10() - 1e-9).ceil().max(0.0)
        };
        let text = format::decimal(value, places as usize);
        let trims = self.log && text.contains('.');
        if trims { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    }
}

/// Marks at whole multiples of a step.
pub(super) fn even_ticks((low, high): (f64, f64), step_size: f64) -> Vec<GridMark> {
    let (first, last) = ((low / step_size).ceil() as i64, (high / step_size).floor() as i64);
    (first..=last).take(24).map(|place| GridMark { value: place as f64 * step_size, step_size }).collect()
}

/// Seconds that one on the axis stands for, and its word.
pub(super) fn time_unit(drawn: &[Lines], axis: Axis) -> (f64, &'static str) {
    if axis != Axis::Time {
        return (1.0, "");
    }
    let readings = drawn.iter().flat_map(|lines| lines.seeds.iter().chain(lines.apart.iter().map(|(line, _)| line)));
    match readings.flatten().map(|reading| reading.x).fold(0.0, f64::max) {
        ..180.0 => (1.0, ", s"),
        180.0..10_800.0 => (60.0, ", min"),
        _ => (3_600.0, ", h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_read_as_values_on_both_kinds_of_axis() {
        let words = |scale: Scale, bounds: (f64, f64), share: bool| -> Vec<String> {
            scale.ticks(bounds).into_iter().map(|mark| scale.words(mark, share, false)).collect()
        };
        let scale = |log: bool| Scale { log, unit: 1.0, steps: None };
        assert_eq!(words(scale(false), (1.08, 1.42), false), ["1.1", "1.2", "1.3", "1.4"]);
        assert_eq!(words(scale(false), (0.2, 0.8), true), ["20", "40", "60", "80"]);
        assert_eq!(
            words(Scale { steps: Some(240), ..scale(false) }, (0.0, 240.0), false),
            ["0", "60", "120", "180", "240"]
        );
        let log = words(scale(true), (0.0, 2.0), false);
        assert_eq!(log, ["1", "2", "5", "10", "20", "50", "100"]);
        assert!(scale(true).place(0.0).is_none());
        assert_eq!(Scale { unit: 60.0, ..scale(false) }.place(120.0), Some(2.0));
    }
}
