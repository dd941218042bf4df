//! How arms look and how their numbers read, in every pane of Recover. The pair of the verdict has the colours of A and B;
//! the others are grey and told apart by their dashes; pilots have the colour of their cluster.

use egui::{Color32, Rect, Shape, Stroke, Ui, pos2};
use egui_plot::LineStyle;
use paser_protocol::{ArmView, MetricInfo, RecoveryView};

use crate::{format, recovery::Recovery, theme::Look};

/// An arm's line and text.
#[derive(Clone, Copy)]
pub struct Style {
    pub fill: Color32,
    pub ink: Color32,
    pub dash: Dash,
    pub width: f32,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Dash {
    Solid,
    Dashed,
    Dotted,
}

impl Dash {
    pub fn line(self) -> LineStyle {
        match self {
            Self::Solid => LineStyle::Solid,
            Self::Dashed => LineStyle::Dashed { length: 5.0 },
            Self::Dotted => LineStyle::Dotted { spacing: 4.0 },
        }
    }
}

pub fn style(look: &Look, recovery: &Recovery, view: &RecoveryView, arm: &ArmView) -> Style {
    let of = |fill, ink, dash, width| Style { fill, ink, dash, width };
    if let Some(cluster) = arm.pilot {
        return of(look.cluster(cluster), look.text_2, Dash::Solid, 1.5);
    }
    let pair = recovery.pair(view);
    if pair.is_some_and(|(first, _)| first.name == arm.name) {
        return of(look.a_fill, look.a, Dash::Solid, 2.0);
    }
    if pair.is_some_and(|(_, second)| second.name == arm.name) {
        return of(look.b_fill, look.b, Dash::Solid, 2.0);
    }
    let in_pair = |other: &&ArmView| pair.is_some_and(|(a, b)| a.name == other.name || b.name == other.name);
    let others = view.arms.iter().filter(|other| other.pilot.is_none() && !in_pair(other));
    let place = others.take_while(|other| other.name != arm.name).count();
    let dash = [Dash::Dashed, Dash::Dotted, Dash::Solid][place % 3];
    let fill = [look.random, look.text_2, look.text_3][(place + place / 3) % 3];
    of(fill, look.text_2, dash, 1.5)
}

/// A short piece of the arm's line.
pub fn sample(ui: &Ui, rect: Rect, style: Style) {
    stroke(ui, [rect.left_center(), rect.right_center()], Stroke::new(2.0, style.fill), style.dash);
}

/// A straight line as the arms and the references have them.
pub fn stroke(ui: &Ui, ends: [egui::Pos2; 2], stroke: Stroke, dash: Dash) {
    match dash {
        Dash::Solid => {
            ui.painter().line_segment(ends, stroke);
        }
        Dash::Dashed => ui.painter().extend(Shape::dashed_line(&ends, stroke, 5.0, 3.0)),
        Dash::Dotted => ui.painter().extend(Shape::dotted_line(&ends, stroke.color, 3.5, stroke.width * 0.6)),
    }
}

/// A value's whiskers across.
pub fn whiskers(ui: &Ui, [low, high]: [f32; 2], middle: f32, stroke: Stroke) {
    ui.painter().hline(low..=high, middle, stroke);
    for x in [low, high] {
        ui.painter().line_segment([pos2(x, middle - 3.0), pos2(x, middle + 3.0)], stroke);
    }
}

/// Shares are read as points, with one decimal.
fn is_share(info: &MetricInfo) -> bool {
    info.unit == "share"
}

pub fn unit(info: &MetricInfo) -> &str {
    if is_share(info) { "points" } else { &info.unit }
}

/// `held-out loss, nats per token`
pub fn named(info: &MetricInfo) -> String {
    if info.unit.is_empty() { info.name.clone() } else { format!("{}, {}", info.name, unit(info)) }
}

pub fn value(info: &MetricInfo, number: f64) -> String {
    if is_share(info) { format::decimal(number * 100.0, 1) } else { format::decimal(number, 3) }
}

pub fn signed(info: &MetricInfo, number: f64) -> String {
    let text = value(info, number);
    let zero = !text.chars().any(|c| ('1'..='9').contains(&c));
    if number > 0.0 && !zero { format!("+{text}") } else { text }
}

/// `1.148 ± 0.006`; the number alone where there is no interval.
pub fn plus_minus(text: String, half: Option<String>) -> String {
    match half {
        Some(half) => format!("{text} \u{b1} {half}"),
        None => text,
    }
}

/// `paser 5, random 5, same length 2 of 3`
pub fn seeds(arm: &ArmView) -> String {
    let done = arm.runs.iter().filter(|run| run.state == paser_protocol::ArmState::Done).count();
    if done == arm.runs.len() { done.to_string() } else { format!("{done} of {}", arm.runs.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_read_as_points_and_differences_have_their_sign() {
        let info = |unit: &str| MetricInfo {
            metric: String::new(),
            name: "answer match".to_owned(),
            unit: unit.to_owned(),
            higher_is_better: true,
        };
        assert_eq!(
            (named(&info("share")), value(&info("share"), 0.7123)),
            ("answer match, points".to_owned(), "71.2".to_owned())
        );
        assert_eq!(signed(&info("share"), 0.022), "+2.2");
        assert_eq!(signed(&info("nats"), -0.0164), "\u{2212}0.016");
        assert_eq!(signed(&info("nats"), 0.0001), "0.000");
    }
}
