//! Rows in file order become the pool: ids checked, exact duplicates merged, bad rows listed, hold-out marked.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use paser_protocol::compare_ids;

use super::row::Row;
use super::{Alias, BadRow, FileFormat, IdKind, ImportReport, Pool};
use crate::columns::ColumnBuilder;
use crate::hold_out::HoldOutRule;
use crate::{DataError, HoldOut, Roles, Sample};

/// So many bad rows are listed; all are counted.
const LISTED: usize = 1000;

/// What stands before the number of a row in an id that the file did not give.
const GENERATED: &str = "line:";

pub(super) struct Assembler<'a> {
    path: PathBuf,
    format: FileFormat,
    hold_out: HoldOutRule<'a>,
    samples: Vec<Sample>,
    held_out: Vec<bool>,
    columns: ColumnBuilder,
    aliases: Vec<Alias>,
    by_hash: HashMap<[u8; 32], u32>,
    /// Row and place of every id that the file gave.
    by_id: HashMap<String, (u32, u64)>,
    /// Number and row of every line whose id was made here; numbers ascend.
    generated: Vec<(u64, u32)>,
    integer_ids: u64,
    own_ids: u64,
    rows_read: u64,
    merged: u64,
    bad: Vec<BadRow>,
    bad_total: u64,
    unread: BTreeMap<String, u64>,
}

impl<'a> Assembler<'a> {
    pub(super) fn new(path: &Path, format: FileFormat, hold_out: &'a HoldOut) -> Result<Self, DataError> {
        Ok(Self {
            path: path.to_owned(),
            format,
            hold_out: hold_out.check()?,
            samples: Vec::new(),
            held_out: Vec::new(),
            columns: ColumnBuilder::default(),
            aliases: Vec::new(),
            by_hash: HashMap::new(),
            by_id: HashMap::new(),
            generated: Vec::new(),
            integer_ids: 0,
            own_ids: 0,
            rows_read: 0,
            merged: 0,
            bad: Vec::new(),
            bad_total: 0,
            unread: BTreeMap::new(),
        })
    }

    pub(super) fn push(&mut self, number: u64, row: Result<Row, String>) -> Result<(), DataError> {
        self.rows_read += 1;
        let row = match row {
            Ok(row) => row,
            Err(reason) => {
                self.bad_total += 1;
                if self.bad.len() < LISTED {
                    self.bad.push(BadRow { line: number, reason });
                }
                return Ok(());
            }
        };
        for name in row.unread {
            *self.unread.entry(name).or_default() += 1;
        }
        let at = match self.by_hash.get(&row.hash) {
            Some(at) => *at,
            None => self.samples.len() as u32,
        };
        if at == u32::MAX {
            return Err(DataError::TooManyRows { path: self.path.clone(), limit: u64::from(u32::MAX) });
        }
        let id = match row.id {
            Some(id) => {
                self.own_ids += 1;
                self.integer_ids += u64::from(id.integer);
                self.check_id(&id.text, at, number)?;
                id.text
            }
            None => {
                let id = format!("{GENERATED}{number}");
                self.refuse_other(&id, at, number)?;
                self.generated.push((number, at));
                id
            }
        };
        let held = self.hold_out.holds(&id, &row.hash);
        let place = at as usize;
        if place < self.samples.len() {
            self.merged += 1;
            self.held_out[place] |= held;
            let sample = &mut self.samples[place];
            sample.multiplicity += 1;
            if id == sample.id {
                return Ok(());
            }
            if compare_ids(&id, &sample.id).is_gt() {
                self.aliases.push(Alias { id, row: at });
                return Ok(());
            }
            let larger = std::mem::replace(&mut sample.id, id);
            sample.line = number;
            self.aliases.push(Alias { id: larger, row: at });
        } else {
            self.by_hash.insert(row.hash, at);
            self.held_out.push(held);
            self.samples.push(Sample {
                id,
                instruction: row.instruction,
                input: row.input,
                output: row.output,
                hash: row.hash,
                multiplicity: 1,
                line: number,
            });
        }
        if !self.columns.put(place, row.extra) {
            return Err(DataError::TooManyColumns { path: self.path.clone(), limit: ColumnBuilder::LIMIT });
        }
        Ok(())
    }

    /// Enters an id that the file gave.
    fn check_id(&mut self, id: &str, at: u32, number: u64) -> Result<(), DataError> {
        self.refuse_other(id, at, number)?;
        if !self.by_id.contains_key(id) {
            self.by_id.insert(id.to_owned(), (at, number));
        }
        Ok(())
    }

    /// The same id on the same content is a duplicate, on other content a fault of the file.
    fn refuse_other(&self, id: &str, at: u32, number: u64) -> Result<(), DataError> {
        match self.earlier(id) {
            Some((row, first)) if row != at => Err(DataError::DuplicateId {
                path: self.path.clone(),
                id: id.to_owned(),
                first: self.format.place(first),
                second: self.format.place(number),
            }),
            _ => Ok(()),
        }
    }

    /// Row and place that have this id already, given or made.
    fn earlier(&self, id: &str) -> Option<(u32, u64)> {
        self.by_id.get(id).copied().or_else(|| {
            let number: u64 = id.strip_prefix(GENERATED)?.parse().ok()?;
            let place = self.generated.binary_search_by_key(&number, |(number, _)| *number).ok()?;
            (id == format!("{GENERATED}{number}")).then(|| (self.generated[place].1, number))
        })
    }

    pub(super) fn finish(self, roles: Option<Roles>, bytes: u64, sha256: String) -> Result<Pool, DataError> {
        let kept = self.samples.len() as u64;
        let (Some(roles), true) = (roles, kept > 0) else {
            return Err(match self.bad.into_iter().next() {
                Some(first) => DataError::AllBad {
                    path: self.path,
                    rows: self.rows_read,
                    first_place: self.format.place(first.line),
                    first_reason: first.reason,
                },
                None => DataError::Empty { path: self.path },
            });
        };
        self.hold_out.finish()?;
        let id_kind = match (self.own_ids, self.integer_ids) {
            (0, _) => IdKind::Line,
            (own, integer) if own == integer && own == self.rows_read - self.bad_total => IdKind::Integer,
            _ => IdKind::Text,
        };
        let columns = self.columns.finish(self.samples.len());
        let texts = |sample: &Sample| (sample.instruction.len() + sample.input.len() + sample.output.len()) as u64;
        let text_bytes = Some(self.samples.iter().map(texts).sum());
        Ok(Pool {
            samples: self.samples,
            columns,
            roles,
            id_kind,
            aliases: self.aliases,
            held_out: self.held_out,
            report: ImportReport {
                format: self.format,
                bytes,
                text_bytes,
                sha256,
                rows_read: self.rows_read,
                kept,
                merged: self.merged,
                bad_total: self.bad_total,
                bad: self.bad,
                unread: self.unread,
            },
        })
    }
}
