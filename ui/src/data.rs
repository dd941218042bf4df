//! What was fetched of the open project: columns by key, texts, samples and token values by row. Fetches lazily: a
//! view asks every frame for what it wants to show, and gets it once it is there. What failed is asked for again a few
//! times, then when the engine is reached again or the project changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use paser_protocol::{Report, SampleView, TextRow, TokensView, decode_f32, decode_u32};

/// Seconds after the first, second and third failure until something is asked for again.
const AGAIN: [f64; 3] = [1.0, 5.0, 20.0];

/// How a column's bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Numbers,
    Indices,
    Codes,
}

#[derive(Clone, Debug)]
pub enum Column {
    Numbers(Rc<Vec<f32>>),
    Indices(Rc<Vec<u32>>),
    Codes(Rc<Vec<u8>>),
    Failed,
}

/// Something that can fail to be fetched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    Column(String),
    Text(u32),
    Sample(u32),
}

struct Failure {
    times: usize,
    /// When it is asked for again, in seconds of the egui clock; infinite: not by itself.
    again: f64,
}

#[derive(Default)]
pub struct Data {
    columns: BTreeMap<String, Option<Column>>,
    pub texts: BTreeMap<u32, TextRow>,
    texts_asked: BTreeSet<u32>,
    pub samples: BTreeMap<u32, Rc<SampleView>>,
    samples_asked: BTreeSet<u32>,
    pub tokens: BTreeMap<u32, Result<Rc<TokensView>, Report>>,
    tokens_asked: BTreeSet<u32>,
    failures: BTreeMap<Thing, Failure>,
    /// Column keys to be fetched.
    pub wanted_columns: Vec<(String, Shape)>,
    pub wanted_texts: BTreeSet<u32>,
    pub wanted_sample: Option<u32>,
    pub wanted_tokens: Option<u32>,
    /// Rises whenever rows begin to mean something else: answers to older questions are dropped.
    pub generation: u64,
}

impl Data {
    /// Empty, for another project; answers that are still on their way do not count for it.
    pub fn of_another_project(&self) -> Self {
        Self { generation: self.generation + 1, ..Self::default() }
    }

    fn get(&mut self, key: &str, shape: Shape) -> Option<&Column> {
        if !self.columns.contains_key(key) {
            self.columns.insert(key.to_owned(), None);
            self.wanted_columns.push((key.to_owned(), shape));
        }
        self.columns.get(key)?.as_ref()
    }

    /// One `f32` per row (two for positions); none until it has arrived.
    pub fn numbers(&mut self, key: &str) -> Option<Rc<Vec<f32>>> {
        match self.get(key, Shape::Numbers)? {
            Column::Numbers(values) => Some(values.clone()),
            _ => None,
        }
    }

    pub fn indices(&mut self, key: &str) -> Option<Rc<Vec<u32>>> {
        match self.get(key, Shape::Indices)? {
            Column::Indices(values) => Some(values.clone()),
            _ => None,
        }
    }

    pub fn codes(&mut self, key: &str) -> Option<Rc<Vec<u8>>> {
        match self.get(key, Shape::Codes)? {
            Column::Codes(values) => Some(values.clone()),
            _ => None,
        }
    }

    pub fn failed(&self, key: &str) -> bool {
        matches!(self.columns.get(key), Some(Some(Column::Failed)))
    }

    /// Asked for, and neither there nor failed.
    pub fn is_pending(&self, key: &str) -> bool {
        matches!(self.columns.get(key), Some(None))
    }

    pub fn column_arrived(&mut self, key: &str, shape: Shape, bytes: Vec<u8>) {
        let column = match shape {
            Shape::Numbers => Column::Numbers(Rc::new(decode_f32(&bytes))),
            Shape::Indices => Column::Indices(Rc::new(decode_u32(&bytes))),
            Shape::Codes => Column::Codes(Rc::new(bytes)),
        };
        self.columns.insert(key.to_owned(), Some(column));
        self.failures.remove(&Thing::Column(key.to_owned()));
    }

    pub fn column_failed(&mut self, key: &str, now: f64) {
        self.columns.insert(key.to_owned(), Some(Column::Failed));
        self.fail(Thing::Column(key.to_owned()), now);
    }

    /// Keeps only columns that are still named; what was fetched by content key never goes stale.
    pub fn forget_columns_but(&mut self, keep: &BTreeSet<String>) {
        self.columns.retain(|key, column| column.is_none() || keep.contains(key));
    }

    pub fn forget_column(&mut self, key: &str) {
        self.columns.remove(key);
    }

    /// The short text of a row.
    pub fn text(&mut self, row: u32) -> Option<&TextRow> {
        if !self.texts.contains_key(&row) && self.texts_asked.insert(row) {
            self.wanted_texts.insert(row);
        }
        self.texts.get(&row)
    }

    pub fn sample(&mut self, row: u32) -> Option<Rc<SampleView>> {
        if self.samples_asked.insert(row) {
            self.wanted_sample = Some(row);
        }
        self.samples.get(&row).cloned()
    }

    pub fn tokens(&mut self, row: u32) -> Option<Result<Rc<TokensView>, Report>> {
        if !self.tokens.contains_key(&row) && self.tokens_asked.insert(row) {
            self.wanted_tokens = Some(row);
        }
        self.tokens.get(&row).cloned()
    }

    pub fn texts_arrived(&mut self, texts: Vec<TextRow>) {
        for text in texts {
            self.failures.remove(&Thing::Text(text.row));
            self.texts.insert(text.row, text);
        }
    }

    pub fn texts_failed(&mut self, rows: &[u32], now: f64) {
        for row in rows {
            self.fail(Thing::Text(*row), now);
        }
    }

    pub fn sample_arrived(&mut self, row: u32, sample: SampleView) {
        self.failures.remove(&Thing::Sample(row));
        self.samples.insert(row, Rc::new(sample));
    }

    pub fn sample_failed(&mut self, row: u32, now: f64) {
        self.samples.remove(&row);
        self.fail(Thing::Sample(row), now);
    }

    /// A sample's status and reasons depend on the selection: show the old ones until the new ones have come.
    pub fn samples_stale(&mut self) {
        self.samples_asked.clear();
    }

    /// Token values that could not be had are asked for anew.
    pub fn tokens_again(&mut self, row: u32) {
        if matches!(self.tokens.get(&row), Some(Err(_))) {
            self.tokens.remove(&row);
            self.tokens_asked.remove(&row);
        }
    }

    /// The pool was read anew: rows are other samples now.
    pub fn pool_changed(&mut self) {
        self.texts.clear();
        self.texts_asked.clear();
        self.scores_changed();
    }

    /// Scores or models changed: what the models said of a sample is no longer so.
    pub fn scores_changed(&mut self) {
        self.generation += 1;
        // What was on its way belongs to the generation before.
        self.texts_asked.retain(|row| self.texts.contains_key(row));
        self.samples.clear();
        self.samples_asked.clear();
        self.tokens.clear();
        self.tokens_asked.clear();
        self.failures.retain(|thing, _| matches!(thing, Thing::Column(_)));
    }

    fn fail(&mut self, thing: Thing, now: f64) {
        let failure = self.failures.entry(thing).or_insert(Failure { times: 0, again: 0.0 });
        failure.again = AGAIN.get(failure.times).map_or(f64::INFINITY, |wait| now + wait);
        failure.times += 1;
    }

    /// Lets views ask again for what has waited long enough. Seconds until the next thing has.
    pub fn try_again(&mut self, now: f64) -> Option<f64> {
        let due: Vec<Thing> =
            self.failures.iter().filter(|(_, failure)| failure.again <= now).map(|(thing, _)| thing.clone()).collect();
        for thing in due {
            self.unask(&thing);
            if let Some(failure) = self.failures.get_mut(&thing) {
                failure.again = f64::INFINITY;
            }
        }
        let next = self.failures.values().map(|failure| failure.again).filter(|again| again.is_finite());
        next.min_by(f64::total_cmp).map(|again| (again - now).max(0.0))
    }

    /// Lets views ask again for everything that failed.
    pub fn forget_failures(&mut self) {
        for thing in std::mem::take(&mut self.failures).into_keys() {
            self.unask(&thing);
        }
        let failed: Vec<u32> = self.tokens.iter().filter(|(_, tokens)| tokens.is_err()).map(|(row, _)| *row).collect();
        for row in failed {
            self.tokens_again(row);
        }
    }

    fn unask(&mut self, thing: &Thing) {
        match thing {
            Thing::Column(key) if self.failed(key) => {
                self.columns.remove(key);
            }
            Thing::Column(_) => {}
            Thing::Text(row) => {
                self.texts_asked.remove(row);
            }
            Thing::Sample(row) => {
                self.samples_asked.remove(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(row: u32, id: &str) -> TextRow {
        TextRow { row, id: id.to_owned(), instruction: String::new() }
    }

    #[test]
    fn what_failed_is_asked_again_a_few_times_and_then_on_reconnect() {
        let mut data = Data::default();
        let mut asked = 0;
        let mut now = 0.0;
        for _ in 0..20 {
            data.text(3);
            if !std::mem::take(&mut data.wanted_texts).is_empty() {
                asked += 1;
                data.texts_failed(&[3], now);
            }
            now += 10.0;
            data.try_again(now);
        }
        assert_eq!(asked, 4, "once, and three times again");
        data.forget_failures();
        data.text(3);
        assert!(data.wanted_texts.contains(&3));
        data.texts_arrived(vec![text(3, "x")]);
        assert_eq!(data.try_again(now), None);
    }

    #[test]
    fn a_failed_column_is_asked_again_and_says_so_until_then() {
        let mut data = Data::default();
        assert!(data.numbers("k").is_none() && data.is_pending("k"));
        data.column_failed("k", 0.0);
        data.wanted_columns.clear();
        assert!(data.numbers("k").is_none() && data.failed("k") && data.wanted_columns.is_empty());
        assert_eq!(data.try_again(0.0), Some(AGAIN[0]));
        data.try_again(1.0);
        data.numbers("k");
        assert_eq!(data.wanted_columns, vec![("k".to_owned(), Shape::Numbers)]);
    }

    #[test]
    fn changed_scores_keep_texts_and_a_changed_pool_keeps_nothing() {
        let mut data = Data::default();
        data.texts_arrived(vec![text(1, "a")]);
        data.text(1);
        data.text(2);
        data.tokens(1);
        data.scores_changed();
        assert!(data.texts.contains_key(&1));
        data.wanted_texts.clear();
        data.text(2);
        assert!(data.wanted_texts.contains(&2), "its answer belongs to the generation before");
        data.tokens(1);
        assert_eq!(data.wanted_tokens, Some(1));
        let before = data.generation;
        data.pool_changed();
        assert!(data.texts.is_empty() && data.generation > before);
    }
}
