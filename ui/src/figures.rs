//! What a saved view says in words and numbers: its caption, and its table, in the order and with the filter of the
//! screen. Where rows are samples the engine writes the table, because only it has every id.

use paser_protocol::{ReasonCode, Request, SelectionView, csv};

use crate::{
    compare::letter,
    format,
    picture::{Caption, View},
    state::{AppState, Brush, ColourBy},
    views,
};

/// A table of a view: heads, then rows.
pub struct Table {
    pub heads: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(|head| (*head).to_owned()).collect(), rows: Vec::new() }
    }

    /// As a file. Every row ends with the project and what was shown, so that a table that was taken elsewhere still
    /// says what it is of.
    pub fn to_csv(&self, project: &str, shown: &str) -> String {
        let mut text = String::new();
        let ends = [project, shown];
        let lines = std::iter::once((&self.heads, ["project", "shown"])).chain(self.rows.iter().map(|row| (row, ends)));
        for (row, ends) in lines {
            let cells: Vec<String> = row.iter().map(String::as_str).chain(ends).map(csv::cell).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }
}

fn plain(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(|value| value.to_string()).unwrap_or_default()
}

/// Where the numbers of a view come from.
pub enum Source {
    Here(Table),
    Engine(Request),
}

impl AppState {
    fn brush_words(&self) -> Option<String> {
        match self.focus.brush() {
            Brush::Nothing => None,
            Brush::Clusters(brushed) => {
                let names: Vec<&str> = self
                    .clusters()
                    .iter()
                    .filter(|cluster| brushed.contains(&cluster.cluster))
                    .map(|cluster| cluster.name.as_str())
                    .collect();
                Some(format!("brushed: {}", names.join(", ")))
            }
            Brush::Rows(rows) => Some(format!("brushed: {} samples", format::count(rows.len() as u64))),
        }
    }

    fn selection_words(&self) -> Option<String> {
        let selection = self.build.selection.as_ref()?;
        Some(format!(
            "selection: {}, {} {}",
            selection.plan.strategy.name(),
            format::count(selection.selected),
            if self.build.provisional.is_some() { "samples, of the last rest" } else { "samples" }
        ))
    }

    fn compared_words(&self) -> String {
        let names: Vec<String> =
            self.compare.names.iter().enumerate().map(|(at, name)| format!("{}: {name}", letter(at))).collect();
        names.join(", ")
    }

    /// What is shown beside the n: selection, column, filter.
    pub(crate) fn shown_words(&self, view: View) -> String {
        let mut words = Vec::new();
        match view {
            View::Map => {
                words.push(views::map_paint::shown(self));
                words.extend(self.selection_words().filter(|_| self.colour == ColourBy::Taken));
            }
            View::Damage | View::Schemes => {
                words.push(if self.after_first_token() {
                    "mean JSD after the first token, nats".to_owned()
                } else {
                    "mean JSD, nats, with 95 % intervals".to_owned()
                });
                if view == View::Schemes {
                    let schemes = self.project.iter().flat_map(|project| &project.schemes);
                    words.extend(schemes.map(views::schemes::described));
                }
            }
            View::Curves => words.extend(self.project.as_ref().and_then(|project| {
                let manifold = project.manifold.as_ref()?;
                Some(format!("{} clusters, K = {}: {}", manifold.clusters, manifold.k, manifold.rule))
            })),
            View::Table => {
                words.extend(self.selection_words());
                if let Some((text, is_filter, _)) = self.table.found_by() {
                    words.push(format!("{}: {text}", if is_filter { "filter" } else { "search" }));
                }
                if !self.table.sort.is_empty() {
                    let order = if self.table.descending { "falling" } else { "rising" };
                    words.push(format!("by {}, {order}", self.table.sort));
                }
            }
            View::Ledger => words.extend(self.selection_words()),
            View::RecoveryCurves | View::Outcome | View::Arms | View::Verdict => {
                words.extend(self.recovery_words(view));
            }
            View::Maps | View::Overlap | View::Budgets | View::Reasons | View::Shares => {
                words.push(self.compared_words());
                if view == View::Budgets
                    && let Some(cluster) = self.focus.single_cluster().and_then(|id| self.cluster(id))
                {
                    words.push(format!("share of {}", cluster.name));
                } else if view == View::Budgets {
                    words.push("mean damage of what is taken, nats".to_owned());
                } else if view == View::Shares {
                    words.push(format!("by {}", views::compare::measure_name(self.compare.measure)));
                }
            }
        }
        words.extend(self.brush_words());
        words.join("; ")
    }

    fn after_first_token(&self) -> bool {
        self.panels.after_first_token && self.clusters().iter().any(|cluster| cluster.cds_rest.is_some())
    }

    pub(crate) fn caption(&self, view: View) -> Caption {
        let project = self.project.as_ref().map(|project| project.name.clone()).unwrap_or_default();
        let samples = match view {
            View::Table => self.table.count().unwrap_or(0),
            _ => self.samples(),
        };
        let recover = matches!(view, View::RecoveryCurves | View::Outcome | View::Arms | View::Verdict);
        let n = if recover { self.recovery_n() } else { format!("n = {} samples", format::count(samples)) };
        let clusters = match self.clusters().len() {
            _ if recover => String::new(),
            0 => String::new(),
            clusters => format!(" in {clusters} clusters"),
        };
        let shown = self.shown_words(view);
        let details = if shown.is_empty() { format!("{n}{clusters}") } else { format!("{n}{clusters}; {shown}") };
        let name = view.name();
        let title = name.chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        Caption { title: format!("{title}{} of {project}", name.get(1..).unwrap_or_default()), details }
    }

    /// The numbers of a view; none where nothing has arrived.
    pub(crate) fn numbers_of(&self, view: View) -> Option<Source> {
        Some(match view {
            View::Map | View::Table | View::Maps => Source::Engine(self.samples_of(view)),
            View::Damage => Source::Here(self.damage_table()),
            View::Schemes => Source::Here(self.schemes_table()?),
            View::Curves => Source::Here(self.curves_table()?),
            View::Ledger => Source::Here(ledger_table(self.build.selection.as_ref()?)),
            View::Overlap => Source::Here(self.overlap_table()?),
            View::Budgets => Source::Here(self.budgets_table()),
            View::Reasons => Source::Here(self.reasons_table()),
            View::Shares => Source::Here(self.shares_table()?),
            View::RecoveryCurves | View::Outcome | View::Arms | View::Verdict => {
                Source::Here(self.recovery_table(view)?)
            }
        })
    }

    fn samples_of(&self, view: View) -> Request {
        let (columns, selections, query) = match view {
            View::Table => {
                let mut columns: Vec<String> =
                    self.table.columns.iter().filter(|name| *name != "status").cloned().collect();
                columns.extend(["cluster".to_owned(), "instruction".to_owned()]);
                (columns, Vec::new(), self.row_query(true))
            }
            View::Maps => {
                (vec!["map".to_owned(), "cluster".to_owned()], self.compare.names.clone(), Default::default())
            }
            _ => {
                let mut columns = vec!["map".to_owned(), "cluster".to_owned()];
                match &self.colour {
                    ColourBy::Damage => columns.push("jsd".to_owned()),
                    ColourBy::Column(name) if name != "cluster" => columns.push(name.clone()),
                    _ => {}
                }
                (columns, Vec::new(), Default::default())
            }
        };
        let shown = self.shown_words(view);
        Request::Table { query, columns, selections, shown, path: String::new() }
    }

    fn damage_table(&self) -> Table {
        let rest = self.after_first_token();
        let damage = if rest { "damage_after_first_token_nats" } else { "damage_nats" };
        let mut table = Table::new(&["cluster", "name", "samples", "scored", damage, "low_95", "high_95", "brushed"]);
        for cluster in views::damage::sorted(self.clusters(), rest) {
            let (value, low, high) =
                if rest { (cluster.cds_rest, None, None) } else { (cluster.cds, cluster.cds_low, cluster.cds_high) };
            let brushed = match self.focus.brush() {
                Brush::Clusters(brushed) => brushed.contains(&cluster.cluster).to_string(),
                _ => String::new(),
            };
            table.rows.push(vec![
                cluster.cluster.to_string(),
                cluster.name.clone(),
                cluster.samples.to_string(),
                cluster.scored.to_string(),
                plain(value),
                plain(low),
                plain(high),
                brushed,
            ]);
        }
        table
    }

    /// Long form: a row per cluster and pruned model.
    fn schemes_table(&self) -> Option<Table> {
        let project = self.project.as_ref()?;
        let rest = self.after_first_token();
        let damage = if rest { "damage_after_first_token_nats" } else { "damage_nats" };
        let mut table =
            Table::new(&["cluster", "name", "pruned_model", "pruning", "scored", damage, "low_95", "high_95"]);
        for cluster in views::damage::sorted(self.clusters(), rest) {
            for scheme in &project.schemes {
                let Some(found) = scheme.damage.iter().find(|damage| damage.cluster == cluster.cluster) else {
                    continue;
                };
                let (value, low, high) =
                    if rest { (found.cds_rest, None, None) } else { (found.cds, found.cds_low, found.cds_high) };
                table.rows.push(vec![
                    cluster.cluster.to_string(),
                    cluster.name.clone(),
                    scheme.name.clone(),
                    scheme.pruning.clone(),
                    found.scored.to_string(),
                    plain(value),
                    plain(low),
                    plain(high),
                ]);
            }
        }
        Some(table)
    }

    /// Long form: which curve, its x, its value and, where there is one, its range.
    fn curves_table(&self) -> Option<Table> {
        let manifold = self.project.as_ref()?.manifold.as_ref()?;
        let mut table = Table::new(&["curve", "x", "value", "low", "high"]);
        let mut add = |curve: &str, x: u32, value: f64, range: Option<(f64, f64)>| {
            table.rows.push(vec![
                curve.to_owned(),
                x.to_string(),
                plain(Some(value)),
                plain(range.map(|(low, _)| low)),
                plain(range.map(|(_, high)| high)),
            ]);
        };
        if let Some(curve) = &manifold.curve {
            for (place, k) in curve.clusters.iter().enumerate() {
                if let Some(value) = curve.stability.get(place) {
                    add("stability over K", *k, *value, curve.stability_range.get(place).copied());
                }
            }
            for (name, values) in [
                ("prediction strength over K", &curve.prediction_strength),
                ("factorisation error over K", &curve.nmf_error),
            ] {
                for (k, value) in curve.clusters.iter().zip(values) {
                    add(name, *k, *value, None);
                }
            }
        }
        for (place, value) in (1..).zip(&manifold.eigenvalues) {
            add("eigenvalue", place, *value, None);
        }
        Some(table)
    }

    fn overlap_table(&self) -> Option<Table> {
        let view = self.compare.view.as_ref()?;
        let mut table =
            Table::new(&["kind", "in", "not_in", "samples", "by_chance", "jaccard", "tokens", "mean_damage_nats"]);
        for overlap in &view.overlaps {
            table.rows.push(vec![
                "pair".to_owned(),
                format!("{} and {}", overlap.first, overlap.second),
                String::new(),
                overlap.shared.to_string(),
                plain(Some(overlap.chance)),
                plain(Some(overlap.jaccard)),
                String::new(),
                String::new(),
            ]);
        }
        for part in &view.parts {
            let names = |held: bool| {
                let sides = view.selections.iter().zip(&part.held).filter(|(_, is)| **is == held);
                sides.map(|(side, _)| side.selection.as_str()).collect::<Vec<_>>()
            };
            table.rows.push(vec![
                "part".to_owned(),
                names(true).join(" and "),
                names(false).join(" and "),
                part.samples.to_string(),
                String::new(),
                String::new(),
                part.tokens.to_string(),
                plain(part.mean_damage),
            ]);
        }
        Some(table)
    }

    fn budgets_table(&self) -> Table {
        let cluster = self.focus.single_cluster();
        let value = if cluster.is_some() { "share_of_cluster" } else { "mean_damage_nats" };
        let mut table = Table::new(&["selection", "budget_percent", "samples", "tokens", value]);
        for name in &self.compare.names {
            let Some(Ok(curve)) = self.compare.curve(name) else { continue };
            for point in &curve.points {
                let value = match cluster {
                    Some(id) => {
                        let taken = point.taken.get(id as usize).copied().unwrap_or(0);
                        (point.selected > 0).then(|| taken as f64 / point.selected as f64)
                    }
                    None => point.mean_damage,
                };
                table.rows.push(vec![
                    name.clone(),
                    plain(Some(point.percent)),
                    point.selected.to_string(),
                    point.tokens.to_string(),
                    plain(value),
                ]);
            }
        }
        table
    }

    fn reasons_table(&self) -> Table {
        let mut table = Table::new(&["reason", "in_the_selection", "selection", "samples"]);
        let frozen = self.project.iter().flat_map(|project| &project.selections);
        for selection in
            frozen.filter(|frozen| frozen.name.as_ref().is_some_and(|name| self.compare.names.contains(name)))
        {
            for code in ReasonCode::ALL {
                let count =
                    selection.reasons.iter().find(|(word, _)| word == code.word()).map_or(0, |(_, count)| *count);
                table.rows.push(vec![
                    code.word().to_owned(),
                    code.is_taken().to_string(),
                    selection.name.clone().unwrap_or_default(),
                    count.to_string(),
                ]);
            }
        }
        table
    }

    fn shares_table(&self) -> Option<Table> {
        let view = self.compare.view.as_ref()?;
        let mut table = Table::new(&[
            "selection",
            "cluster",
            "name",
            "samples",
            "tokens",
            "mean_damage_nats",
            "mean_response_tokens",
            "conflicts",
            "random_low",
            "random_high",
        ]);
        for side in &view.selections {
            for share in &side.clusters {
                let band = view.chance.as_ref().and_then(|chance| chance.taken.get(share.cluster as usize));
                let band = |end: fn(&(u64, u64)) -> u64| band.map(|band| end(band).to_string()).unwrap_or_default();
                table.rows.push(vec![
                    side.selection.clone(),
                    share.cluster.to_string(),
                    share.name.clone(),
                    share.taken.to_string(),
                    share.tokens.to_string(),
                    plain(share.mean_damage),
                    plain(share.mean_response_tokens),
                    share.conflicts.to_string(),
                    band(|band| band.0),
                    band(|band| band.1),
                ]);
            }
        }
        Some(table)
    }
}

fn ledger_table(selection: &SelectionView) -> Table {
    let mut table = Table::new(&[
        "cluster",
        "name",
        "unit",
        "samples",
        "damage_nats",
        "quota_raw",
        "cap",
        "quota",
        "pinned",
        "taken",
        "refilled",
        "shortfall",
        "rejected",
        "excluded",
        "guarded",
        "unscorable",
        "tokens",
    ]);
    for row in views::ledger::sorted(selection) {
        let mut cells =
            vec![row.cluster.to_string(), row.name.clone(), selection.unit.clone(), row.samples.to_string()];
        cells.extend([plain(row.cds), plain(row.quota_raw)]);
        let counts = [
            row.cap,
            row.quota,
            row.pinned,
            row.taken,
            row.refilled,
            row.shortfall,
            row.rejected,
            row.excluded,
            row.guarded,
            row.unscorable,
            row.tokens,
        ];
        cells.extend(counts.map(|count| count.to_string()));
        table.rows.push(cells);
    }
    table
}
