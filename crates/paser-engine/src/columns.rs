//! Bulk columns by key: what map, table and colours fetch. A key names the artefact it comes from, so a fetched column
//! never goes stale; query results and reasons are kept for a while under keys of their own.

use std::{borrow::Cow, collections::VecDeque, sync::Arc};

use paser_data::{Categories, ColumnValues, MISSING};
use paser_protocol::{ColumnInfo, ColumnKind, encode_f32, encode_u32};

use crate::{
    checks::{Checks, DUPLICATE_LABELS},
    loaded::{SCORE_COLUMNS, Samples, Scores, TOKEN_COLUMNS},
    selection::{another_pool, is_of, reason_column},
    session::{Loaded, Session, lock},
    trouble::{Outcome, usage},
};

/// Query results kept in memory.
const KEPT: usize = 16;
/// A category with more labels than this is text to be searched, not a colour.
const LABELS: usize = 256;

#[derive(Default)]
pub(crate) struct ColumnCache(VecDeque<(String, Arc<[u8]>)>);

impl ColumnCache {
    pub(crate) fn keep(&mut self, key: &str, bytes: Arc<[u8]>) {
        self.0.retain(|(known, _)| known != key);
        self.0.push_back((key.to_owned(), bytes));
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    pub(crate) fn find(&self, key: &str) -> Option<Arc<[u8]>> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, bytes)| bytes.clone())
    }
}

/// A column's values, before they are bytes.
pub(crate) enum Cells<'a> {
    Numbers(Cow<'a, [f32]>),
    Counts(&'a [u32]),
    Bytes(Vec<u8>),
}

struct Column<'a> {
    info: ColumnInfo,
    cells: Cells<'a>,
}

fn short(key: &str) -> &str {
    key.get(..16).unwrap_or(key)
}

/// Columns as they are asked for: the values of others are not made, which for a large pool takes a while.
struct Gathered<'a, 'w> {
    wanted: &'w dyn Fn(&ColumnInfo) -> bool,
    columns: Vec<Column<'a>>,
}

impl<'a> Gathered<'a, '_> {
    fn add(&mut self, info: ColumnInfo, cells: impl FnOnce() -> Cells<'a>) {
        if (self.wanted)(&info) {
            self.columns.push(Column { info, cells: cells() });
        }
    }

    /// A column of numbers. Whether it is wanted is asked before its range is known.
    fn number<V: Into<Cow<'a, [f32]>>>(
        &mut self,
        name: &str,
        label: &str,
        unit: &str,
        key: String,
        values: impl FnOnce() -> V,
    ) {
        let kind = ColumnKind::Number { minimum: 0.0, maximum: 0.0 };
        let mut info = ColumnInfo { key, name: name.to_owned(), label: label.to_owned(), unit: unit.to_owned(), kind };
        if !(self.wanted)(&info) {
            return;
        }
        let values = values().into();
        let (mut minimum, mut maximum) = (f32::INFINITY, f32::NEG_INFINITY);
        for value in values.iter().filter(|value| value.is_finite()) {
            minimum = minimum.min(*value);
            maximum = maximum.max(*value);
        }
        if minimum <= maximum {
            info.kind = ColumnKind::Number { minimum, maximum };
        }
        self.columns.push(Column { info, cells: Cells::Numbers(values) });
    }
}

fn info(key: String, name: &str, label: &str, kind: ColumnKind) -> ColumnInfo {
    ColumnInfo { key, name: name.to_owned(), label: label.to_owned(), unit: String::new(), kind }
}

/// Every wanted column there is, in the order of menus.
fn gathered<'a>(loaded: &'a Loaded, wanted: &dyn Fn(&ColumnInfo) -> bool) -> Vec<Column<'a>> {
    let mut columns = Gathered { wanted, columns: Vec::new() };
    if let (Some(manifold), Some(clusters), Some(names)) = (&loaded.manifold, loaded.clusters(), loaded.names()) {
        let key = short(&manifold.key);
        // What stands where does not change by edits of clusters; what belongs to what does.
        let edited = match short(&clusters.shown) {
            "" => key.to_owned(),
            shown => format!("{key}-{shown}"),
        };
        columns.add(info(format!("map-{key}"), "map", "map", ColumnKind::Positions), || {
            Cells::Numbers(manifold.map.as_slice().into())
        });
        let kind = ColumnKind::Category { labels: names.to_vec() };
        columns.add(info(format!("cluster-{edited}"), "cluster", "cluster", kind), || Cells::Counts(&clusters.labels));
        let label = "share in its cluster";
        columns.number("certainty", label, "", format!("certainty-{key}"), || manifold.certainty.as_slice());
    }
    if let Some(scores) = &loaded.scores {
        of_scores(scores, &mut columns);
        for (strategy, pass) in loaded.passes.iter().filter(|(_, pass)| pass.is_of(loaded)) {
            let (name, key) = (strategy.name(), short(&pass.key));
            columns.number(name, &pass.facts.label, "", format!("{name}-{key}"), || pass.column.values.as_slice());
        }
    }
    if let Some(samples) = &loaded.samples {
        of_samples(samples, &mut columns);
        if let Some(checks) = &loaded.checks {
            of_checks(checks, &mut columns);
        }
        if samples.held_out.contains(&true) {
            let key = format!("held-out-{}", short(&samples.held_out_fingerprint));
            columns.add(info(key, "held_out", "held out", ColumnKind::Codes), || {
                Cells::Bytes(samples.held_out.iter().map(|held| u8::from(*held)).collect())
            });
        }
    }
    columns.columns
}

fn of_scores<'a>(scores: &'a Scores, columns: &mut Gathered<'a, '_>) {
    let key = short(&scores.key);
    for (name, label, unit) in SCORE_COLUMNS {
        if let Some(values) = scores.column(name) {
            columns.number(name, label, unit, format!("{name}-{key}"), || values);
        }
    }
    if let Some(losses) = scores.column("loss_pruned") {
        let name = "perplexity_pruned";
        columns.number(name, "pruned perplexity", "", format!("{name}-{key}"), || {
            losses.iter().map(|loss| loss.exp()).collect::<Vec<f32>>()
        });
    }
    for (name, label) in TOKEN_COLUMNS {
        if let Some((_, counts)) = scores.tokens.iter().find(|(known, _)| *known == name) {
            columns.number(name, label, "tokens", format!("{name}-{key}"), || {
                let of = |(count, score): (&u32, &Option<_>)| if score.is_some() { *count as f32 } else { f32::NAN };
                counts.iter().zip(&scores.rows).map(of).collect::<Vec<f32>>()
            });
        }
    }
}

fn of_samples<'a>(samples: &'a Samples, columns: &mut Gathered<'a, '_>) {
    let key = short(&samples.key);
    if samples.multiplicity.iter().any(|count| *count > 1) {
        columns.number("multiplicity", "equal rows in the file", "rows", format!("multiplicity-{key}"), || {
            samples.multiplicity.iter().map(|count| *count as f32).collect::<Vec<f32>>()
        });
    }
    for (index, extra) in samples.extra.iter().enumerate() {
        let (name, key) = (format!("extra:{}", extra.name), format!("extra{index}-{key}"));
        match &extra.values {
            ColumnValues::Number(values) => columns
                .number(&name, &extra.name, "", key, || values.iter().map(|value| *value as f32).collect::<Vec<f32>>()),
            ColumnValues::Text(texts) | ColumnValues::Json(texts) if texts.values.len() <= LABELS => {
                let kind = ColumnKind::Category { labels: texts.values.clone() };
                columns.add(info(key, &name, &extra.name, kind), || Cells::Counts(&texts.codes));
            }
            _ => {}
        }
    }
}

fn of_checks<'a>(checks: &'a Checks, columns: &mut Gathered<'a, '_>) {
    let key = short(&checks.key);
    if checks.looked_for_duplicates() {
        let kind = ColumnKind::Category { labels: DUPLICATE_LABELS.map(str::to_owned).to_vec() };
        columns.add(info(format!("duplicates-{key}"), "duplicates", "near-duplicates", kind), || {
            Cells::Counts(&checks.duplicates)
        });
        let name = "duplicate_similarity";
        columns
            .number(name, "similarity to the kept one", "", format!("{name}-{key}"), || checks.similarity.as_slice());
    }
    if !checks.facts.benchmarks.is_empty() {
        let labels = checks.facts.benchmarks.iter().map(|benchmark| benchmark.name.clone()).collect();
        let kind = ColumnKind::Category { labels };
        columns
            .add(info(format!("leak-{key}"), "leak", "contains a question of", kind), || Cells::Counts(&checks.leak));
        let name = "leak_share";
        let label = "share of a benchmark question";
        columns.number(name, label, "", format!("{name}-{key}"), || checks.leak_share.as_slice());
    }
}

/// The one wanted column.
fn one<'a>(loaded: &'a Loaded, wanted: &dyn Fn(&ColumnInfo) -> bool) -> Option<Column<'a>> {
    gathered(loaded, wanted).into_iter().next()
}

/// What columns there are.
pub(crate) fn infos(loaded: &Loaded) -> Vec<ColumnInfo> {
    gathered(loaded, &|_| true).into_iter().map(|column| column.info).collect()
}

/// Names of the program's own columns that hold one number or one word per row, but for the clusters.
pub(crate) fn compared_names(loaded: &Loaded) -> Vec<String> {
    let own = |name: &str| name != "cluster" && !name.starts_with("extra:");
    infos(loaded)
        .into_iter()
        .filter(|info| own(&info.name) && !matches!(info.kind, ColumnKind::Positions))
        .map(|info| info.name)
        .collect()
}

/// The words of a column of the program's own.
pub(crate) fn categories(loaded: &Loaded, name: &str) -> Option<Categories> {
    let found = one(loaded, &|info| info.name == name && !name.starts_with("extra:"))?;
    match (found.cells, found.info.kind) {
        (Cells::Counts(codes), ColumnKind::Category { labels }) => {
            Some(Categories { values: labels, codes: codes.to_vec() })
        }
        _ => None,
    }
}

/// The numbers of a column of the program's own, missing ones as NaN.
pub(crate) fn numbers(loaded: &Loaded, name: &str) -> Option<Vec<f32>> {
    let found = one(loaded, &|info| info.name == name)?;
    match (found.cells, found.info.kind) {
        // The file's own columns are compared as they are, not rounded.
        _ if name.starts_with("extra:") => None,
        (Cells::Numbers(values), ColumnKind::Number { .. }) => Some(values.into_owned()),
        (Cells::Bytes(codes), _) => Some(codes.into_iter().map(f32::from).collect()),
        _ => None,
    }
}

/// A column's values of some rows as they stand in a file, under its heads: two for places on the map. None: there is no
/// such column.
pub(crate) fn as_texts(loaded: &Loaded, name: &str, rows: &[u32]) -> Option<Vec<(String, Vec<String>)>> {
    let found = one(loaded, &|info| info.name == name)?;
    let number = |value: Option<&f32>| value.filter(|value| value.is_finite()).map(f32::to_string).unwrap_or_default();
    let head = name.strip_prefix("extra:").unwrap_or(name).to_owned();
    let each = |cell: &dyn Fn(usize) -> String| rows.iter().map(|row| cell(*row as usize)).collect::<Vec<_>>();
    Some(match (&found.cells, &found.info.kind) {
        (Cells::Numbers(values), ColumnKind::Positions) => vec![
            (format!("{head}_x"), each(&|row| number(values.get(2 * row)))),
            (format!("{head}_y"), each(&|row| number(values.get(2 * row + 1)))),
        ],
        (Cells::Numbers(values), _) => vec![(head, each(&|row| number(values.get(row))))],
        (Cells::Counts(codes), ColumnKind::Category { labels }) => {
            let label = |row: usize| codes.get(row).and_then(|code| labels.get(*code as usize)).cloned();
            vec![(head, each(&|row| label(row).unwrap_or_default()))]
        }
        (Cells::Counts(codes), _) => vec![(head, each(&|row| codes.get(row).map(u32::to_string).unwrap_or_default()))],
        (Cells::Bytes(codes), _) => vec![(head, each(&|row| codes.get(row).map(u8::to_string).unwrap_or_default()))],
    })
}

/// Numbers to sort by, missing ones as NaN; text columns by their text's place among the labels.
pub(crate) fn sort_values(loaded: &Loaded, name: &str) -> Option<Vec<f32>> {
    one(loaded, &|info| info.name == name).map(|column| match (column.cells, column.info.kind) {
        (Cells::Numbers(values), ColumnKind::Number { .. }) => values.into_owned(),
        (Cells::Counts(codes), ColumnKind::Category { labels }) => {
            let mut order: Vec<usize> = (0..labels.len()).collect();
            order.sort_by(|&a, &b| labels[a].cmp(&labels[b]));
            let mut place = vec![f32::NAN; labels.len()];
            for (rank, label) in order.into_iter().enumerate() {
                place[label] = rank as f32;
            }
            codes.iter().map(|code| place.get(*code as usize).copied().unwrap_or(f32::NAN)).collect()
        }
        (Cells::Bytes(codes), _) => codes.into_iter().map(f32::from).collect(),
        (Cells::Numbers(_), _) | (Cells::Counts(_), _) => Vec::new(),
    })
}

impl Session {
    /// The bytes of a column: little-endian `f32` or `u32`, or one byte a row, as its kind says.
    ///
    /// # Errors
    /// A key of something that is no more.
    pub fn column(&self, key: &str) -> Outcome<Arc<[u8]>> {
        if let Some(bytes) = lock(&self.columns).find(key) {
            return Ok(bytes);
        }
        if key.starts_with("reason-") {
            if let Some(bytes) = lock(&self.selections).reasons(key) {
                return Ok(bytes);
            }
            if let Some(head) = self.selection_heads()?.into_iter().find(|head| reason_column(&head.key) == key) {
                if !is_of(&head.inputs, &*self.samples()?) {
                    return Err(another_pool(&head.name));
                }
                return Ok(self.frozen_named(&head.name)?.reasons.into());
            }
        }
        if let Some(losses) = self.losses_column(key) {
            return Ok(encode_f32(&losses).into());
        }
        let loaded = self.loaded();
        let found = one(&loaded, &|info| info.key == key).map(|column| match column.cells {
            Cells::Numbers(values) => encode_f32(&values),
            Cells::Counts(values) => encode_u32(values),
            Cells::Bytes(values) => values,
        });
        found.map(Arc::from).ok_or_else(|| {
            usage(format!("There is no column {key} any more."), "The project changed: look at it again.")
        })
    }
}

const _: () = assert!(MISSING == u32::MAX, "a missing category is u32::MAX on both sides");
