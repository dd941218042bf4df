//! Extra columns of a pool: everything in the file that has no role. They become columns of map and table and are
//! written back on export. Owns the rule that decides a column's type from its cells.

use std::collections::HashMap;

use serde_json::{Number, Value};

/// The code of a missing cell in [`Categories`].
pub const MISSING: u32 = u32::MAX;

/// Whole numbers beyond this do not survive f64 and are kept as JSON text.
const EXACT: i64 = 1 << 53;

/// A column that has no role, one cell for every sample of the pool.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtraColumn {
    pub name: String,
    pub values: ColumnValues,
}

/// The cells. A JSON null and an absent field are both missing.
#[derive(Debug, Clone)]
pub enum ColumnValues {
    /// Every present cell is a number; missing is NaN.
    Number(Vec<f64>),
    /// Every present cell is text.
    Text(Categories),
    /// Anything else (truth values, lists, mixed types), as compact JSON text.
    Json(Categories),
}

/// Distinct strings in order of first appearance, and for every row the code of its string or [`MISSING`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Categories {
    pub values: Vec<String>,
    pub codes: Vec<u32>,
}

impl Categories {
    pub fn get(&self, row: usize) -> Option<&str> {
        let code = *self.codes.get(row)?;
        self.values.get(code as usize).map(String::as_str)
    }
}

impl ColumnValues {
    pub fn len(&self) -> usize {
        match self {
            Self::Number(numbers) => numbers.len(),
            Self::Text(texts) | Self::Json(texts) => texts.codes.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cell as JSON, `None` where it is missing.
    pub fn json(&self, row: usize) -> Option<Value> {
        match self {
            Self::Number(numbers) => numbers.get(row).copied().and_then(number_value),
            Self::Text(texts) => texts.get(row).map(|text| Value::String(text.to_owned())),
            Self::Json(texts) => texts.get(row).and_then(|text| serde_json::from_str(text).ok()),
        }
    }

    /// The cell as a person reads it, `None` where it is missing.
    pub fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Number(_) => self.json(row).map(|value| value.to_string()),
            Self::Text(texts) | Self::Json(texts) => texts.get(row).map(str::to_owned),
        }
    }
}

impl PartialEq for ColumnValues {
    /// Missing numbers are equal to each other.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x == y || (x.is_nan() && y.is_nan()))
            }
            (Self::Text(a), Self::Text(b)) | (Self::Json(a), Self::Json(b)) => a == b,
            _ => false,
        }
    }
}

fn number_value(number: f64) -> Option<Value> {
    let whole = number.fract() == 0.0 && number.abs() <= EXACT as f64 && !(number == 0.0 && number.is_sign_negative());
    if whole { Some(Value::Number(Number::from(number as i64))) } else { Number::from_f64(number).map(Value::Number) }
}

#[derive(Clone, Copy)]
enum Cell {
    Missing,
    Number(f64),
    Text(u32),
    Json(u32),
}

#[derive(Default)]
struct Building {
    cells: Vec<Cell>,
    strings: Vec<String>,
    text_codes: HashMap<String, u32>,
    json_codes: HashMap<String, u32>,
}

impl Building {
    fn cell(&mut self, value: Value) -> Cell {
        let (json, codes, string) = match value {
            Value::Number(number) => {
                let exact = match number.as_i64() {
                    Some(whole) => (-EXACT..=EXACT).contains(&whole),
                    None => number.is_f64(),
                };
                match number.as_f64() {
                    Some(float) if exact => return Cell::Number(float),
                    _ => (true, &mut self.json_codes, number.to_string()),
                }
            }
            Value::String(text) => (false, &mut self.text_codes, text),
            other => (true, &mut self.json_codes, other.to_string()),
        };
        let next = self.strings.len() as u32;
        let code = match codes.get(&string) {
            Some(code) => *code,
            None => {
                self.strings.push(string.clone());
                codes.insert(string, next);
                next
            }
        };
        if json { Cell::Json(code) } else { Cell::Text(code) }
    }

    fn finish(mut self, rows: usize) -> ColumnValues {
        self.cells.resize(rows, Cell::Missing);
        if self.cells.iter().all(|cell| matches!(cell, Cell::Missing | Cell::Number(_))) {
            let number = |cell: &Cell| if let Cell::Number(number) = cell { *number } else { f64::NAN };
            return ColumnValues::Number(self.cells.iter().map(number).collect());
        }
        let all_text = self.cells.iter().all(|cell| matches!(cell, Cell::Missing | Cell::Text(_)));
        // Codes are given anew: a merged duplicate may have left strings that no row uses any more.
        let mut categories = Categories::default();
        let mut known: HashMap<String, u32> = HashMap::new();
        for cell in &self.cells {
            let string = match *cell {
                Cell::Missing => {
                    categories.codes.push(MISSING);
                    continue;
                }
                Cell::Number(number) => number_value(number).map(|value| value.to_string()).unwrap_or_default(),
                Cell::Text(code) if all_text => self.strings[code as usize].clone(),
                Cell::Text(code) => Value::String(self.strings[code as usize].clone()).to_string(),
                Cell::Json(code) => self.strings[code as usize].clone(),
            };
            let next = categories.values.len() as u32;
            let code = *known.entry(string).or_insert_with_key(|string| {
                categories.values.push(string.clone());
                next
            });
            categories.codes.push(code);
        }
        if all_text { ColumnValues::Text(categories) } else { ColumnValues::Json(categories) }
    }
}

/// Collects extra columns while a pool is read, in order of first appearance.
#[derive(Default)]
pub(crate) struct ColumnBuilder {
    names: Vec<String>,
    index: HashMap<String, usize>,
    columns: Vec<Building>,
}

impl ColumnBuilder {
    pub(crate) const LIMIT: usize = 256;

    /// Sets the cells of a row, forgetting what it held. False where there would be too many columns.
    pub(crate) fn put(&mut self, row: usize, fields: Vec<(String, Value)>) -> bool {
        for column in &mut self.columns {
            if let Some(cell) = column.cells.get_mut(row) {
                *cell = Cell::Missing;
            }
        }
        for (name, value) in fields {
            if value.is_null() {
                continue;
            }
            let at = match self.index.get(&name) {
                Some(at) => *at,
                None => {
                    if self.names.len() == Self::LIMIT {
                        return false;
                    }
                    let at = self.names.len();
                    self.names.push(name.clone());
                    self.index.insert(name, at);
                    self.columns.push(Building::default());
                    at
                }
            };
            let column = &mut self.columns[at];
            let cell = column.cell(value);
            if column.cells.len() <= row {
                column.cells.resize(row + 1, Cell::Missing);
            }
            column.cells[row] = cell;
        }
        true
    }

    /// The finished columns in order of their first present cell; those without any are dropped.
    pub(crate) fn finish(self, rows: usize) -> Vec<ExtraColumn> {
        let mut columns: Vec<(usize, String, Building)> = self
            .names
            .into_iter()
            .zip(self.columns)
            .filter_map(|(name, column)| {
                let first = column.cells.iter().position(|cell| !matches!(cell, Cell::Missing))?;
                Some((first, name, column))
            })
            .collect();
        columns.sort_by_key(|(first, ..)| *first);
        columns.into_iter().map(|(_, name, column)| ExtraColumn { name, values: column.finish(rows) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn build(cells: Vec<Value>) -> ColumnValues {
        let mut builder = ColumnBuilder::default();
        let rows = cells.len();
        for (row, value) in cells.into_iter().enumerate() {
            assert!(builder.put(row, vec![("c".to_owned(), value)]));
        }
        builder.finish(rows).remove(0).values
    }

    #[test]
    fn types_follow_the_cells() {
        assert_eq!(build(vec![json!(1), json!(null), json!(2.5)]), ColumnValues::Number(vec![1.0, f64::NAN, 2.5]));
        let text = build(vec![json!("b"), json!("a"), json!("b")]);
        assert_eq!(text, ColumnValues::Text(Categories { values: vec!["b".into(), "a".into()], codes: vec![0, 1, 0] }));
        let mixed = build(vec![json!("1"), json!(1), json!([true])]);
        assert_eq!(mixed.text(0).as_deref(), Some("\"1\""));
        assert_eq!(mixed.json(2), Some(json!([true])));
    }

    #[test]
    fn large_whole_numbers_keep_every_digit() {
        let column = build(vec![json!(9_007_199_254_740_993_i64), json!(u64::MAX)]);
        assert_eq!(column.json(0), Some(json!(9_007_199_254_740_993_i64)));
        assert_eq!(column.json(1), Some(json!(u64::MAX)));
    }
}
