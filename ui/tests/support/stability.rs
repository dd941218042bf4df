//! A sweep of the settings, as it would look on the made-up project: before it was computed, and after.

use paser_protocol::{Budget, Factor, FactorView, SettingView, StabilityView};

/// Value, agreement, overlap.
type Setting = (f64, f64, f64);

const SETTINGS: [(Factor, f64, &[Setting]); 6] = [
    (
        Factor::Dimensions,
        16.0,
        &[(4.0, 0.61, 0.55), (8.0, 0.82, 0.71), (16.0, 1.0, 1.0), (32.0, 0.94, 0.88), (48.0, 0.91, 0.86)],
    ),
    (Factor::Time, 1.0, &[(0.0, 0.95, 0.93), (0.5, 0.98, 0.97), (1.0, 1.0, 1.0), (2.0, 0.97, 0.95), (4.0, 0.93, 0.9)]),
    (
        Factor::Clusters,
        12.0,
        &[
            (6.0, 0.58, 0.49),
            (9.0, 0.79, 0.66),
            (11.0, 0.92, 0.84),
            (12.0, 1.0, 1.0),
            (13.0, 0.9, 0.81),
            (18.0, 0.66, 0.5),
        ],
    ),
    (Factor::Neighbours, 15.0, &[(10.0, 0.88, 0.8), (15.0, 1.0, 1.0), (20.0, 0.95, 0.9), (30.0, 0.9, 0.83)]),
    (
        Factor::Temperature,
        1.0,
        &[(0.25, 1.0, 0.64), (0.5, 1.0, 0.81), (1.0, 1.0, 1.0), (2.0, 1.0, 0.83), (4.0, 1.0, 0.58)],
    ),
    (
        Factor::Seed,
        0.0,
        &[
            (0.0, 1.0, 1.0),
            (1.0, 0.97, 0.95),
            (2.0, 0.99, 0.98),
            (3.0, 0.96, 0.94),
            (4.0, 0.98, 0.95),
            (5.0, 0.97, 0.96),
        ],
    ),
];

pub fn view(swept: bool) -> StabilityView {
    let factor = |(factor, current, settings): &(Factor, f64, &[Setting])| FactorView {
        factor: *factor,
        current: *current,
        values: settings.iter().map(|setting| setting.0).collect(),
        estimate: (!swept).then_some((3.0, 9.0)),
        kept: None,
        settings: settings
            .iter()
            .filter(|_| swept)
            .map(|&(value, agreement, overlap)| SettingView {
                value,
                current: value == *current,
                agreement,
                rows: 3_000,
                clusters: 12,
                selected: 600,
                shared: (overlap * 600.0) as u64,
                overlap,
                chance: 0.111,
            })
            .collect(),
    };
    StabilityView { factors: SETTINGS.iter().map(factor).collect(), budget: Budget::Percent(20.0), blocked: None }
}
