//! Rows of the table and texts of rows: searched by the catalogue, filtered and sorted in memory.

use std::sync::Arc;

use paser_project::{Inputs, sha256_hex};
use paser_protocol::{
    Blocking, ReasonCode, Reply, RowQuery, SampleView, SelectionView, Strategy, TextRow, decode_u32, encode_u32,
    id_number, search_words,
};
use paser_select::{Reason, Standing};

use crate::{
    columns::sort_values,
    loaded::Samples,
    selection::{Selected, is_of, is_of_clusters},
    session::{Loaded, Session, lock},
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
        self.rows_of(&self.loaded(), query)
    }

    /// The same of what was in memory at one moment.
    pub(crate) fn rows_of(&self, loaded: &Loaded, query: &RowQuery) -> Outcome<Vec<u32>> {
        let samples = loaded.samples()?;
        let mut rows: Vec<u32> = if query.text.trim().is_empty() {
            (0..samples.len() as u32).collect()
        } else {
            self.found(&query.text, "")?
        };
        // While a new pool is taken in, the catalogue may be ahead of what is in memory.
        rows.retain(|row| (*row as usize) < samples.len());
        if !query.filter.trim().is_empty() {
            let fits = self.fitting(loaded, &query.filter)?;
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
                let ranks = self.ranks(samples, "id", || Ok(by_id(&samples.ids)))?;
                rows.sort_unstable_by_key(|row| (ranks[*row as usize], *row));
                if query.descending {
                    rows.reverse();
                }
            }
            "instruction" | "input" | "output" => {
                let by_text = || lock(&self.catalogue).rows_by_text(&query.sort).map_err(Told::told);
                let ranks = self.ranks(samples, &query.sort, by_text)?;
                rows.sort_unstable_by_key(|row| (ranks[*row as usize], *row));
                if query.descending {
                    rows.reverse();
                }
            }
            name => {
                let values = match name {
                    "status" | "reason" => {
                        self.current_reasons().map(|reasons| reasons.iter().map(|byte| f32::from(*byte)).collect())
                    }
                    name => sort_values(loaded, name),
                };
                let values = values.ok_or_else(|| {
                    usage(format!("There is no column {name} to sort by."), "Choose one of the table's.")
                })?;
                sort_by(&mut rows, &values, query.descending);
            }
        }
        Ok(rows)
    }

    /// How many samples more a query finds inside of words; none where it does so already.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn inside_words(&self, query: &RowQuery) -> Outcome<u64> {
        let Some(wide) = query.inside_words() else { return Ok(0) };
        let count =
            |query: RowQuery| self.rows(&RowQuery { sort: String::new(), ..query }).map(|rows| rows.len() as u64);
        Ok(count(wide)?.saturating_sub(count(query.clone())?))
    }

    /// The rows that a full-text search finds in a part of the samples, or in all of them.
    pub(crate) fn found(&self, text: &str, part: &str) -> Outcome<Vec<u32>> {
        if !search_words(text).iter().any(|word| word.before) {
            return lock(&self.catalogue).search(text, part).map_err(Told::told);
        }
        // Without the lock: it takes seconds in a large pool.
        let beside = lock(&self.catalogue).beside().map_err(Told::told)?;
        let found = beside.search(text, part).map_err(Told::told)?;
        lock(&self.catalogue).learn(&beside);
        Ok(found)
    }

    /// Place of every row in the order of a text column; kept, because sorting texts takes a while.
    fn ranks(&self, samples: &Samples, name: &str, order: impl FnOnce() -> Outcome<Vec<u32>>) -> Outcome<Vec<u32>> {
        let key = format!("rank-{name}-{}", samples.key);
        if let Some(bytes) = lock(&self.columns).find(&key) {
            return Ok(decode_u32(&bytes));
        }
        let order = order()?;
        let mut ranks = vec![0; samples.len()];
        for (rank, row) in (0..).zip(order) {
            // While a new pool is taken in, the catalogue may be ahead of what is in memory.
            if let Some(place) = ranks.get_mut(row as usize) {
                *place = rank;
            }
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
            && let Some(quota) = self.quota_of(row, &selected.view, &selected.inputs)
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
    pub(crate) fn quota_of(&self, row: u32, view: &SelectionView, inputs: &Inputs) -> Option<String> {
        let loaded = self.loaded();
        if view.plan.strategy == Strategy::PaserNoS2ric || !is_of_clusters(inputs, &loaded) {
            return None;
        }
        let clusters = loaded.clusters()?;
        let cluster = *clusters.labels.get(row as usize)?;
        let account = view.ledger.iter().find(|account| account.cluster == cluster)?;
        account.quota_raw?;
        let damage = account.cds.map(|cds| format!(", damaged by {cds:.3} nats")).unwrap_or_default();
        Some(format!("Its cluster{damage}, has a quota of {} of {} {}.", account.quota, view.budget, view.unit))
    }
}

/// Rows by rising id: whole numbers by value, before all others.
fn by_id(ids: &[String]) -> Vec<u32> {
    let mut rows: Vec<(Option<u64>, u32)> = (0..).zip(ids).map(|(row, id)| (id_number(id), row)).collect();
    rows.sort_unstable_by(|a, b| {
        let missing = a.0.is_none().cmp(&b.0.is_none());
        let text = || ids[a.1 as usize].cmp(&ids[b.1 as usize]);
        missing.then(a.0.cmp(&b.0)).then_with(text).then(a.1.cmp(&b.1))
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Sorts rows by a column; missing values last, ties by row.
fn sort_by(rows: &mut [u32], values: &[f32], descending: bool) {
    // One whole number a row that sorts as asked: millions of them sort faster than by comparing values.
    let mut keys: Vec<u64> = rows
        .iter()
        .map(|&row| {
            let value = values.get(row as usize).copied().unwrap_or(f32::NAN);
            let bits = value.to_bits();
            let rising = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
            let place = match (value.is_nan(), descending) {
                (true, _) => u32::MAX,
                (false, false) => rising,
                (false, true) => !rising,
            };
            u64::from(place) << 32 | u64::from(row)
        })
        .collect();
    keys.sort_unstable();
    for (row, key) in rows.iter_mut().zip(keys) {
        *row = key as u32;
    }
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
    fn rows_sort_as_their_values_compare_and_ids_as_ids_do() {
        let values = [0.0, -1.5, f32::INFINITY, 3.0, f32::NEG_INFINITY, -0.25, 3.0, f32::MAX];
        for descending in [false, true] {
            let mut rows: Vec<u32> = (0..8).rev().collect();
            sort_by(&mut rows, &values, descending);
            let mut slow: Vec<u32> = (0..8).collect();
            slow.sort_by(|&a, &b| {
                let order = values[a as usize].total_cmp(&values[b as usize]);
                if descending { order.reverse() } else { order }.then(a.cmp(&b))
            });
            assert_eq!(rows, slow);
        }
        let ids = ["b", "line:10", "9", "10", "a", "+1"].map(str::to_owned);
        let mut slow: Vec<u32> = (0..6).collect();
        slow.sort_by(|&a, &b| paser_protocol::compare_ids(&ids[a as usize], &ids[b as usize]));
        assert_eq!(by_id(&ids), slow);
    }

    #[test]
    fn a_line_has_no_breaks_and_an_end() {
        assert_eq!(line("  a\n\tb  "), "a b");
        assert_eq!(line(&"x".repeat(1000)).chars().count(), LINE + 1);
    }
}
