//! What was fetched of the open project: columns by key, texts, samples and token values by row. Fetches lazily: a
//! view asks every frame for what it wants to show, and gets it once it is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use paser_protocol::{Report, SampleView, TextRow, TokensView, decode_f32, decode_u32};

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

#[derive(Default)]
pub struct Data {
    columns: BTreeMap<String, Option<Column>>,
    pub texts: BTreeMap<u32, TextRow>,
    texts_asked: BTreeSet<u32>,
    pub samples: BTreeMap<u32, Rc<SampleView>>,
    samples_asked: BTreeSet<u32>,
    pub tokens: BTreeMap<u32, Result<Rc<TokensView>, Report>>,
    tokens_asked: BTreeSet<u32>,
    /// Column keys to be fetched.
    pub wanted_columns: Vec<(String, Shape)>,
    pub wanted_texts: BTreeSet<u32>,
    pub wanted_sample: Option<u32>,
    pub wanted_tokens: Option<u32>,
    /// Rises with every column that arrives.
    pub arrivals: u64,
}

impl Data {
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

    pub fn column_arrived(&mut self, key: &str, shape: Shape, bytes: Option<Vec<u8>>) {
        let column = match (shape, bytes) {
            (_, None) => Column::Failed,
            (Shape::Numbers, Some(bytes)) => Column::Numbers(Rc::new(decode_f32(&bytes))),
            (Shape::Indices, Some(bytes)) => Column::Indices(Rc::new(decode_u32(&bytes))),
            (Shape::Codes, Some(bytes)) => Column::Codes(Rc::new(bytes)),
        };
        self.columns.insert(key.to_owned(), Some(column));
        self.arrivals += 1;
    }

    /// Keeps only columns that are still named; what was fetched by content key never goes stale.
    pub fn forget_columns_but(&mut self, keep: &BTreeSet<String>) {
        self.columns.retain(|key, column| column.is_none() || keep.contains(key));
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

    /// A sample's status and reasons depend on the selection: show the old ones until the new ones have come.
    pub fn samples_stale(&mut self) {
        self.samples_asked.clear();
    }

    pub fn samples_failed(&mut self, row: u32) {
        self.samples.remove(&row);
    }
}
