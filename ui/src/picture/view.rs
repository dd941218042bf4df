//! The views that can be saved, and as what.

use crate::{
    compare::Lower,
    layout::Pane,
    state::{AppState, LeftTab, Screen},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Map,
    Damage,
    /// Damage by each of several pruned models.
    Schemes,
    /// The curves behind the number of clusters.
    Curves,
    Table,
    Ledger,
    /// The maps of Compare, side by side.
    Maps,
    Overlap,
    Budgets,
    Reasons,
    /// Cluster by cluster, in Compare.
    Shares,
    /// Of the arms in Recover.
    RecoveryCurves,
    /// What the pane beside them shows.
    Outcome,
    Arms,
    Verdict,
}

impl View {
    pub const ALL: [Self; 15] = [
        Self::Map,
        Self::Damage,
        Self::Schemes,
        Self::Curves,
        Self::Table,
        Self::Ledger,
        Self::Maps,
        Self::Overlap,
        Self::Budgets,
        Self::Reasons,
        Self::Shares,
        Self::RecoveryCurves,
        Self::Outcome,
        Self::Arms,
        Self::Verdict,
    ];

    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Damage => "damage per cluster",
            Self::Schemes => "damage by pruned model",
            Self::Curves => "number of clusters",
            Self::Table => "samples",
            Self::Ledger => "ledger",
            Self::Maps => "maps side by side",
            Self::Overlap => "overlap",
            Self::Budgets => "budgets",
            Self::Reasons => "reasons",
            Self::Shares => "clusters compared",
            Self::RecoveryCurves => "recovery curves",
            Self::Outcome => "outcome of recovery",
            Self::Arms => "arms",
            Self::Verdict => "verdict",
        }
    }

    /// The name under which its rectangle is noted.
    pub fn place(self) -> &'static str {
        match self {
            Self::Map => "view:map",
            Self::Damage => "view:damage",
            Self::Schemes => "view:schemes",
            Self::Curves => "view:curves",
            Self::Table => "view:table",
            Self::Ledger => "view:ledger",
            Self::Maps => "view:maps",
            Self::Overlap => "view:overlap",
            Self::Budgets => "view:budgets",
            Self::Reasons => "view:reasons",
            Self::Shares => "view:shares",
            Self::RecoveryCurves => "view:recovery-curves",
            Self::Outcome => "view:outcome",
            Self::Arms => "view:arms",
            Self::Verdict => "view:verdict",
        }
    }

    /// Is it on screen, as far as panels and tabs decide?
    pub fn is_shown(self, state: &AppState) -> bool {
        let explore = state.screen == Screen::Explore && state.project.is_some();
        let compare = state.screen == Screen::Compare && state.project.is_some() && state.compare.names.len() >= 2;
        let arms = state.recovery.view.as_ref().is_some_and(|view| !view.arms.is_empty());
        let recover = state.screen == Screen::Recover && state.project.is_some() && arms;
        match self {
            Self::Map => explore && state.is_on_screen(Pane::Map) && state.column_info("map").is_some(),
            Self::Damage => explore && state.damage_shown() && state.left_tab() == LeftTab::Damage,
            Self::Schemes => explore && state.damage_shown() && state.left_tab() == LeftTab::Schemes,
            Self::Curves => explore && state.damage_shown() && state.left_tab() == LeftTab::Curves,
            Self::Table => explore && state.is_on_screen(Pane::Table),
            Self::Ledger => explore && state.panels.ledger && state.build.selection.is_some(),
            Self::Maps => compare && state.is_on_screen(Pane::Maps),
            Self::Overlap | Self::Budgets | Self::Reasons => {
                let of = match self {
                    Self::Overlap => Lower::Overlap,
                    Self::Budgets => Lower::Budgets,
                    _ => Lower::Reasons,
                };
                compare && state.is_on_screen(Pane::Overlap) && state.compare.lower == of
            }
            Self::Shares => compare && state.is_on_screen(Pane::Clusters),
            Self::RecoveryCurves => recover && state.is_on_screen(Pane::Curves),
            Self::Outcome => recover && state.is_on_screen(Pane::Outcome),
            Self::Arms => recover && state.is_on_screen(Pane::Arms),
            Self::Verdict => recover && state.is_on_screen(Pane::Verdict) && state.recovery.verdict.is_some(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    /// Two pixels where [`Format::Png`] has one.
    Fine,
    Svg,
    Csv,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Png, Self::Fine, Self::Svg, Self::Csv];

    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "picture (PNG)",
            Self::Fine => "picture of twice the pixels (PNG)",
            Self::Svg => "vectors (SVG)",
            Self::Csv => "table (CSV)",
        }
    }

    pub fn ending(self) -> &'static str {
        match self {
            Self::Png | Self::Fine => "png",
            Self::Svg => "svg",
            Self::Csv => "csv",
        }
    }

    /// Pixels to a point of the screen.
    pub fn scale(self) -> f32 {
        if self == Self::Fine { 2.0 } else { 1.0 }
    }
}
