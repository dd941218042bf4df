//! Rows of the table and texts of rows: searched by the catalogue, filtered and sorted in memory.

use std::sync::Arc;

use paser_project::sha256_hex;
use paser_protocol::{
    Blocking, ReasonCode, Reply, RowQuery, SampleView, Strategy, TextRow, compare_ids, decode_u32, encode_u32,
};
use paser_select::{Reason, Standing};

use crate::{
    columns::sort_values,
    selection::{CLUSTER_EDITS, Selected, is_of},
    session::{Session, lock},
    trouble::{Outcome, Told, usage},
};

/// Characters of a text on a line.
const LINE: usize = 240;

impl Session {
    /// The rows of a query in its order, as a column key.
    ///
    /// # Errors
    /// A column to sort by that does not exist; a filter that cannot be read or names what is not there.
    pub fn query(&self, query: &RowQuery) -> Outcome<Reply> {
        let rows = self.rows(query)?;
        let bytes: Arc<[u8]> = encode_u32(&rows).into();
        let key = format!("rows-{}", sha256_hex(&bytes).get(..24).unwrap_or_default());
        lock(&self.columns).keep(&key, bytes);
        Ok(Reply::Rows { key, count: rows.len() as u64 })
    }

    /// The rows of a query in its order: descending puts the largest first; missing values come last either way.
    pub fn rows(&self, query: &RowQuery) -> Outcome<Vec<u32>> {
        let loaded = self.loaded();
        let samples = self.samples()?;
        let mut rows: Vec<u32> = if query.text.trim().is_empty() {
            (0..samples.len() as u32).collect()
        } else {
            lock(&self.catalogue).search(&query.text).map_err(Told::told)?
        };
        // While a new pool is taken in, the catalogue may be ahead of what is in memory.
        rows.retain(|row| (*row as usize) < samples.len());
        if !query.filter.trim().is_empty() {
            let fits = self.fitting(&loaded, &query.filter)?;
            rows.retain(|row| fits.get(*row as usize).copied().unwrap_or(false));
        }
        if let Some(brushed) = &query.rows {
            let mut inside = vec![false; samples.len()];
            for &row in brushed {
                if let Some(mark) = inside.get_mut(row as usize) {
                    *mark = true;
                }
            }
            rows.retain(|row| inside[*row as usize]);
        }
        if !query.clusters.is_empty()
            && let Some(clusters) = loaded.clusters()
        {
            rows.retain(|row| query.clusters.contains(&clusters.labels[*row as usize]));
        }
        match query.sort.as_str() {
            "" | "row" => {
                if query.descending {
                    rows.reverse();
                }
            }
            "id" => {
                rows.sort_by(|a, b| compare_ids(&samples.ids[*a as usize], &samples.ids[*b as usize]));
                if query.descending {
                    rows.reverse();
                }
            }
            "instruction" | "input" | "output" => {
                let ranks = self.text_ranks(&query.sort)?;
                rows.sort_by_key(|row| (ranks[*row as usize], *row));
                if query.descending {
                    rows.reverse();
                }
            }
            name => {
                let values = match name {
                    "status" | "reason" => {
                        self.current_reasons().map(|reasons| reasons.iter().map(|byte| f32::from(*byte)).collect())
                    }
                    name => sort_values(&loaded, name),
                };
                let values = values.ok_or_else(|| {
                    usage(format!("There is no column {name} to sort by."), "Choose one of the table's.")
                })?;
                sort_by(&mut rows, &values, query.descending);
            }
        }
        Ok(rows)
    }

    /// Place of every row's text among all texts of its kind; kept, because sorting texts takes a while.
    fn text_ranks(&self, part: &str) -> Outcome<Vec<u32>> {
        let key = format!("rank-{part}-{}", self.samples()?.key);
        if let Some(bytes) = lock(&self.columns).find(&key) {
            return Ok(decode_u32(&bytes));
        }
        let texts = lock(&self.catalogue).texts(part).map_err(Told::told)?;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by(|&a, &b| texts[a].cmp(&texts[b]));
        let mut ranks = vec![0; texts.len()];
        for (rank, row) in order.into_iter().enumerate() {
            ranks[row] = rank as u32;
        }
        lock(&self.columns).keep(&key, encode_u32(&ranks).into());
        Ok(ranks)
    }

    /// Reasons of the plan being built, where its selection is in memory.
    fn current_reasons(&self) -> Option<Arc<[u8]>> {
        self.current().map(|selected| selected.reasons.clone())
    }

    /// The selection of the plan being built, where one of this pool is in memory.
    pub(crate) fn current(&self) -> Option<Arc<Selected>> {
        let (plan, samples) = (self.plan(), self.samples().ok()?);
        let key = self.quick_selection_inputs(&plan).ok()?.key();
        let cache = lock(&self.selections);
        let found = cache.find(&key).or_else(|| cache.newest_of(&plan));
        found.filter(|selected| is_of(&selected.inputs, &samples))
    }

    /// Short texts, in the order of `rows`; rows beyond the pool are left out.
    pub fn texts(&self, rows: &[u32]) -> Outcome<Vec<TextRow>> {
        let catalogue = lock(&self.catalogue);
        let mut texts = Vec::with_capacity(rows.len());
        for &row in rows {
            if let Some(sample) = catalogue.sample(row).map_err(Told::told)? {
                texts.push(TextRow { row, id: sample.id, instruction: line(&sample.instruction) });
            }
        }
        Ok(texts)
    }

    /// Everything about one sample.
    ///
    /// # Errors
    /// A row beyond the pool.
    pub fn sample(&self, row: u32) -> Outcome<SampleView> {
        let record = lock(&self.catalogue).sample(row).map_err(Told::told)?;
        let record = record.ok_or_else(|| usage(format!("The pool has no row {row}."), ""))?;
        let loaded = self.loaded();
        let at = row as usize;
        let mut values = Vec::new();
        if let Some(scores) = &loaded.scores {
            for (name, label, unit) in crate::loaded::SCORE_COLUMNS {
                if let Some(value) = scores.column(name).map(|column| column[at]).filter(|value| !value.is_nan()) {
                    let value = if unit.is_empty() { format!("{:.0} %", value * 100.0) } else { format!("{value:.4}") };
                    values.push((label.to_owned(), value, unit.to_owned()));
                }
            }
            for pass in loaded.passes.values().filter(|pass| pass.is_of(&loaded)) {
                let value = pass.column.values[at];
                if !value.is_nan() {
                    values.push((pass.facts.label.clone(), format!("{value:.4}"), String::new()));
                }
            }
            if let Some(score) = &scores.rows[at] {
                let counts = [("prompt tokens", score.prompt_tokens), ("response tokens", score.response_tokens)];
                values.extend(counts.map(|(label, count)| (label.to_owned(), count.to_string(), "tokens".to_owned())));
            }
            if let Some((_, reason)) = scores.facts.reasons.iter().find(|(unscorable, _)| *unscorable == row) {
                values.push(("unscorable".to_owned(), reason.clone(), String::new()));
            }
        }
        if let Some(samples) = &loaded.samples {
            for column in &samples.extra {
                if let Some(text) = column.values.text(at) {
                    values.push((column.name.clone(), text, String::new()));
                }
            }
        }
        if let (Some(samples), Some(checks)) = (&loaded.samples, &loaded.checks) {
            values.extend(checks.values(row, samples));
        }
        let concepts = loaded.concepts.as_ref().map_or_else(Vec::new, |concepts| {
            let table = &concepts.table;
            table.samples[at].iter().map(|concept| table.names[*concept as usize].clone()).collect()
        });
        let (status, why, blocking) = self.fate(row);
        Ok(SampleView {
            row,
            id: record.id,
            instruction: record.instruction,
            input: record.input,
            output: record.output,
            multiplicity: record.multiplicity,
            line: record.line,
            cluster: loaded.clusters().map(|clusters| clusters.labels[at]),
            values,
            concepts,
            status,
            why,
            blocking,
        })
    }

    /// Status word, sentence and blocking pair of a row in the selection being built.
    fn fate(&self, row: u32) -> (String, String, Option<Blocking>) {
        self.current().map(|selected| self.fate_in(&selected, row)).unwrap_or_default()
    }

    /// The same in any selection of this pool that is in memory; the word alone where what it was made of is not.
    pub(crate) fn fate_in(&self, selected: &Selected, row: u32) -> (String, String, Option<Blocking>) {
        let Some(reason) = selected.selection.reasons.get(row as usize) else { return Default::default() };
        let word = reason.code().word().to_owned();
        let Some(pool) = self.pool_in_memory(selected.view.plan.strategy) else {
            return (word, String::new(), None);
        };
        let blocking = match *reason {
            Reason::Conflict { first, second, first_row, second_row } => {
                let name = |concept: u32| pool.concept_names.get(concept as usize).cloned().unwrap_or_default();
                let id = |row: u32| pool.ids.get(row as usize).cloned().unwrap_or_default();
                Some(Blocking {
                    first: name(first),
                    first_row,
                    first_id: id(first_row),
                    second: name(second),
                    second_row,
                    second_id: id(second_row),
                })
            }
            _ => None,
        };
        let standing = self.standing(row, selected);
        let mut why = standing.map_or_else(|| reason.explain(&pool), |standing| standing.explain());
        if let ReasonCode::Taken | ReasonCode::Refilled | ReasonCode::QuotaFull | ReasonCode::Conflict = reason.code()
            && let Some(quota) = self.quota_of(row, selected)
        {
            why = format!("{why} {quota}");
        }
        (word, why, blocking)
    }

    /// The place of a row that was not reached; none where the labels that the budget was spread over are not at hand.
    fn standing(&self, row: u32, selected: &Selected) -> Option<Standing> {
        let no_s2ric = selected.view.plan.strategy == Strategy::PaserNoS2ric;
        let pool = self.pool_of(selected)?;
        let labels = if no_s2ric { pool.alternative_clusters.as_deref()? } else { &pool.clusters };
        Standing::of(&selected.selection.reasons, labels, row)
    }

    /// What the row's cluster may give, and for what damage; none for strategies whose quotas are not for the project's
    /// clusters.
    fn quota_of(&self, row: u32, selected: &Selected) -> Option<String> {
        let view = &selected.view;
        let loaded = self.loaded();
        let clusters = loaded.clusters()?;
        let of_these = selected.inputs.get(CLUSTER_EDITS).unwrap_or_default() == clusters.edits;
        if view.plan.strategy == Strategy::PaserNoS2ric || !of_these {
            return None;
        }
        let cluster = *clusters.labels.get(row as usize)?;
        let account = view.ledger.iter().find(|account| account.cluster == cluster)?;
        account.quota_raw?;
        let damage = account.cds.map(|cds| format!(", damaged by {cds:.3} nats")).unwrap_or_default();
        Some(format!("Its cluster{damage}, has a quota of {} of {} {}.", account.quota, view.budget, view.unit))
    }
}

/// Sorts rows by a column; missing values last, ties by row.
fn sort_by(rows: &mut [u32], values: &[f32], descending: bool) {
    let value = |row: u32| values.get(row as usize).copied().unwrap_or(f32::NAN);
    rows.sort_by(|&a, &b| {
        let (left, right) = (value(a), value(b));
        match (left.is_nan(), right.is_nan()) {
            (true, true) => a.cmp(&b),
            (true, false) => std::cmp::Ordering::Greater,
            (false, true) => std::cmp::Ordering::Less,
            (false, false) => {
                let order = if descending { right.total_cmp(&left) } else { left.total_cmp(&right) };
                order.then(a.cmp(&b))
            }
        }
    });
}

/// A text on one line, cut where it is long.
fn line(text: &str) -> String {
    let mut line = String::new();
    let mut blank = false;
    for (count, character) in text.trim().chars().enumerate() {
        if count >= LINE {
            line.push('…');
            break;
        }
        if character.is_whitespace() || character.is_control() {
            blank = true;
            continue;
        }
        if blank {
            line.push(' ');
            blank = false;
        }
        line.push(character);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_come_last_either_way() {
        let values = [2.0, f32::NAN, 1.0, 2.0];
        let mut rows = vec![0, 1, 2, 3];
        sort_by(&mut rows, &values, false);
        assert_eq!(rows, [2, 0, 3, 1]);
        sort_by(&mut rows, &values, true);
        assert_eq!(rows, [0, 3, 2, 1]);
    }

    #[test]
    fn a_line_has_no_breaks_and_an_end() {
        assert_eq!(line("  a\n\tb  "), "a b");
        assert_eq!(line(&"x".repeat(1000)).chars().count(), LINE + 1);
    }
}
