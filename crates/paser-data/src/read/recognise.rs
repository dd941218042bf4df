//! Roles while a pool is read: recognised from the first rows that have fields, and kept right when a column appears
//! later (method.md 1.1). No column that stands for a role is ever taken for an extra one in silence.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::FileFormat;
use super::row::Fields;
use crate::{DataError, Roles};

pub(super) struct Recogniser<'a> {
    path: PathBuf,
    format: FileFormat,
    given: Option<&'a Roles>,
    /// Every column met so far, in order of first appearance.
    columns: Vec<String>,
    known: HashSet<String>,
    roles: Option<Roles>,
}

impl<'a> Recogniser<'a> {
    pub(super) fn new(path: &Path, format: FileFormat, given: Option<&'a Roles>) -> Self {
        Self { path: path.to_owned(), format, given, columns: Vec::new(), known: HashSet::new(), roles: None }
    }

    /// The roles for rows that follow those seen before, each with its number. `None`: no row had fields yet.
    pub(super) fn look<'f>(
        &mut self,
        rows: impl Iterator<Item = (u64, &'f Fields)>,
    ) -> Result<Option<&Roles>, DataError> {
        let before = self.columns.len();
        let mut first_in = Vec::new();
        let mut any = false;
        for (number, fields) in rows {
            any = true;
            for name in fields.names() {
                if !self.known.contains(name) {
                    self.known.insert(name.to_owned());
                    self.columns.push(name.to_owned());
                    first_in.push(number);
                }
            }
        }
        match (&mut self.roles, self.given) {
            (None, Some(given)) if any => self.roles = Some(given.clone()),
            (None, None) if any => self.roles = Some(Roles::recognise(&self.columns, &self.path)?),
            (Some(roles), None) => {
                let fresh = &self.columns[before..];
                roles.adopt(fresh).map_err(|late| {
                    let place = fresh.iter().position(|name| *name == late.column).map_or(0, |at| first_in[at]);
                    DataError::LateColumn {
                        path: self.path.clone(),
                        place: self.format.place(place),
                        column: late.column,
                        role: late.role,
                        bound: late.bound,
                    }
                })?;
            }
            _ => {}
        }
        Ok(self.roles.as_ref())
    }

    /// The roles of the file. Roles that a person named must each have met their column by now.
    pub(super) fn finish(self) -> Result<Option<Roles>, DataError> {
        if let (Some(given), Some(_)) = (self.given, &self.roles) {
            given.check(&self.columns, &self.path)?;
        }
        Ok(self.roles)
    }
}
