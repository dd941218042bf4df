//! Bulk columns by key: what map, table and colours fetch. A key names the artefact it comes from, so a fetched column
//! never goes stale; query results and reasons are kept for a while under keys of their own.

use std::{collections::VecDeque, sync::Arc};

use paser_data::{Categories, ColumnValues, MISSING};
use paser_protocol::{ColumnInfo, ColumnKind, encode_f32, encode_u32};

use crate::{
    checks::{Checks, DUPLICATE_LABELS},
    loaded::{SCORE_COLUMNS, TOKEN_COLUMNS},
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
    Numbers(std::borrow::Cow<'a, [f32]>),
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

fn number<'a>(
    name: &str,
    label: &str,
    unit: &str,
    key: &str,
    values: impl Into<std::borrow::Cow<'a, [f32]>>,
) -> Column<'a> {
    let values = values.into();
    let (mut minimum, mut maximum) = (f32::INFINITY, f32::NEG_INFINITY);
    for value in values.iter().filter(|value| value.is_finite()) {
        minimum = minimum.min(*value);
        maximum = maximum.max(*value);
    }
    if minimum > maximum {
        (minimum, maximum) = (0.0, 0.0);
    }
    Column {
        info: ColumnInfo {
            key: key.to_owned(),
            name: name.to_owned(),
            label: label.to_owned(),
            unit: unit.to_owned(),
            kind: ColumnKind::Number { minimum, maximum },
        },
        cells: Cells::Numbers(values),
    }
}

/// Every column there is, in the order of menus.
fn all(loaded: &Loaded) -> Vec<Column<'_>> {
    let mut columns = Vec::new();
    if let (Some(manifold), Some(clusters), Some(names)) = (&loaded.manifold, loaded.clusters(), loaded.names()) {
        let key = short(&manifold.key);
        // What stands where does not change by edits of clusters; what belongs to what does.
        let edited = match short(&clusters.shown) {
            "" => key.to_owned(),
            shown => format!("{key}-{shown}"),
        };
        columns.push(Column {
            info: ColumnInfo {
                key: format!("map-{key}"),
                name: "map".to_owned(),
                label: "map".to_owned(),
                unit: String::new(),
                kind: ColumnKind::Positions,
            },
            cells: Cells::Numbers(manifold.map.as_slice().into()),
        });
        columns.push(Column {
            info: ColumnInfo {
                key: format!("cluster-{edited}"),
                name: "cluster".to_owned(),
                label: "cluster".to_owned(),
                unit: String::new(),
                kind: ColumnKind::Category { labels: names.to_vec() },
            },
            cells: Cells::Counts(&clusters.labels),
        });
        let certainty = manifold.certainty.as_slice();
        columns.push(number("certainty", "share in its cluster", "", &format!("certainty-{key}"), certainty));
    }
    if let Some(scores) = &loaded.scores {
        let key = short(&scores.key);
        for (name, label, unit) in SCORE_COLUMNS {
            if let Some(values) = scores.column(name) {
                columns.push(number(name, label, unit, &format!("{name}-{key}"), values));
            }
        }
        if let Some(losses) = scores.column("loss_pruned") {
            let perplexity: Vec<f32> = losses.iter().map(|loss| loss.exp()).collect();
            let name = "perplexity_pruned";
            columns.push(number(name, "pruned perplexity", "", &format!("{name}-{key}"), perplexity));
        }
        for (name, label) in TOKEN_COLUMNS {
            if let Some((_, counts)) = scores.tokens.iter().find(|(known, _)| *known == name) {
                let values: Vec<f32> = counts
                    .iter()
                    .zip(&scores.rows)
                    .map(|(count, score)| if score.is_some() { *count as f32 } else { f32::NAN })
                    .collect();
                columns.push(number(name, label, "tokens", &format!("{name}-{key}"), values));
            }
        }
    }
    if let Some(samples) = &loaded.samples {
        let key = short(&samples.key);
        if samples.multiplicity.iter().any(|count| *count > 1) {
            let values: Vec<f32> = samples.multiplicity.iter().map(|count| *count as f32).collect();
            columns.push(number(
                "multiplicity",
                "equal rows in the file",
                "rows",
                &format!("multiplicity-{key}"),
                values,
            ));
        }
        for (index, extra) in samples.extra.iter().enumerate() {
            let (name, key) = (format!("extra:{}", extra.name), format!("extra{index}-{key}"));
            match &extra.values {
                ColumnValues::Number(values) => {
                    let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
                    columns.push(number(&name, &extra.name, "", &key, values));
                }
                ColumnValues::Text(texts) | ColumnValues::Json(texts) if texts.values.len() <= LABELS => {
                    columns.push(Column {
                        info: ColumnInfo {
                            key,
                            name,
                            label: extra.name.clone(),
                            unit: String::new(),
                            kind: ColumnKind::Category { labels: texts.values.clone() },
                        },
                        cells: Cells::Counts(&texts.codes),
                    });
                }
                _ => {}
            }
        }
        if let Some(checks) = &loaded.checks {
            columns.extend(of_checks(checks));
        }
        if samples.held_out.contains(&true) {
            let key = format!("held-out-{}", short(&samples.held_out_fingerprint));
            columns.push(Column {
                info: ColumnInfo {
                    key,
                    name: "held_out".to_owned(),
                    label: "held out".to_owned(),
                    unit: String::new(),
                    kind: ColumnKind::Codes,
                },
                cells: Cells::Bytes(samples.held_out.iter().map(|held| u8::from(*held)).collect()),
            });
        }
    }
    columns
}

fn of_checks(checks: &Checks) -> Vec<Column<'_>> {
    let key = short(&checks.key);
    let category = |name: &str, label: &str, labels: Vec<String>, codes| Column {
        info: ColumnInfo {
            key: format!("{name}-{key}"),
            name: name.to_owned(),
            label: label.to_owned(),
            unit: String::new(),
            kind: ColumnKind::Category { labels },
        },
        cells: Cells::Counts(codes),
    };
    let mut columns = Vec::new();
    if checks.looked_for_duplicates() {
        let labels = DUPLICATE_LABELS.map(str::to_owned).to_vec();
        columns.push(category("duplicates", "near-duplicates", labels, &checks.duplicates));
        let (name, values) = ("duplicate_similarity", checks.similarity.as_slice());
        columns.push(number(name, "similarity to the kept one", "", &format!("{name}-{key}"), values));
    }
    if !checks.facts.benchmarks.is_empty() {
        let labels = checks.facts.benchmarks.iter().map(|benchmark| benchmark.name.clone()).collect();
        columns.push(category("leak", "contains a question of", labels, &checks.leak));
        let (name, values) = ("leak_share", checks.leak_share.as_slice());
        columns.push(number(name, "share of a benchmark question", "", &format!("{name}-{key}"), values));
    }
    columns
}

/// What columns there are.
pub(crate) fn infos(loaded: &Loaded) -> Vec<ColumnInfo> {
    all(loaded).into_iter().map(|column| column.info).collect()
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
    let own = |column: &Column<'_>| column.info.name == name && !name.starts_with("extra:");
    let found = all(loaded).into_iter().find(own)?;
    match (found.cells, found.info.kind) {
        (Cells::Counts(codes), ColumnKind::Category { labels }) => {
            Some(Categories { values: labels, codes: codes.to_vec() })
        }
        _ => None,
    }
}

/// The numbers of a column of the program's own, missing ones as NaN.
pub(crate) fn numbers(loaded: &Loaded, name: &str) -> Option<Vec<f32>> {
    let found = all(loaded).into_iter().find(|column| column.info.name == name)?;
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
    let found = all(loaded).into_iter().find(|column| column.info.name == name)?;
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
    all(loaded).into_iter().find(|column| column.info.name == name).map(|column| {
        match (column.cells, column.info.kind) {
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
        }
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
        let loaded = self.loaded();
        let found = all(&loaded).into_iter().find(|column| column.info.key == key).map(|column| match column.cells {
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
