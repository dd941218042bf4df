//! Cuts a JSON array into its elements without parsing them, so that one bad element does not take the others
//! with it and the file is never in memory whole.

use std::path::{Path, PathBuf};

use super::source::{LONGEST_ROW, Record};
use crate::DataError;

pub(super) struct ArrayCutter {
    path: PathBuf,
    /// Elements cut so far.
    count: u64,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// How many of the bytes handed over again were already looked at.
    seen: usize,
    /// Bytes of an overlong element that were thrown away already.
    skipped: Option<u64>,
    closed: bool,
}

impl ArrayCutter {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            count: 0,
            depth: 0,
            in_string: false,
            escaped: false,
            seen: 0,
            skipped: None,
            closed: false,
        }
    }

    /// Elements in `bytes` (which start at `offset` of the file, behind the opening bracket) and how many bytes
    /// they took; `last` says that nothing follows.
    pub(super) fn cut(&mut self, bytes: &[u8], offset: u64, last: bool) -> Result<(Vec<Record>, usize), DataError> {
        let mut records = Vec::new();
        let mut start = 0;
        let mut at = self.seen;
        while at < bytes.len() {
            let byte = bytes[at];
            if self.closed {
                if !byte.is_ascii_whitespace() {
                    return Err(self.broken("something follows its closing bracket", offset + at as u64));
                }
                at += 1;
                start = at;
                continue;
            }
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                } else if byte == b'\\' {
                    self.escaped = true;
                } else if byte == b'"' {
                    self.in_string = false;
                }
                at += 1;
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => self.depth -= 1,
                b'}' => return Err(self.broken("a closing brace without an opening one", offset + at as u64)),
                b',' | b']' if self.depth == 0 => {
                    self.closed = byte == b']';
                    self.finish_element(bytes, start, at, offset, &mut records)?;
                    start = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        if !self.closed {
            if last {
                return Err(DataError::Truncated {
                    path: self.path.clone(),
                    place: format!("element {} (the closing bracket of the array is missing)", self.count + 1),
                });
            }
            if bytes.len() - start > LONGEST_ROW {
                *self.skipped.get_or_insert(0) += (bytes.len() - start) as u64;
                start = bytes.len();
            }
        }
        self.seen = bytes.len() - start;
        Ok((records, start))
    }

    fn finish_element(
        &mut self,
        bytes: &[u8],
        start: usize,
        stop: usize,
        offset: u64,
        records: &mut Vec<Record>,
    ) -> Result<(), DataError> {
        let skipped = self.skipped.take();
        let long = skipped.unwrap_or(0) + (stop - start) as u64;
        let too_long = (skipped.is_some() || long > LONGEST_ROW as u64).then_some(long);
        if too_long.is_none() && bytes[start..stop].iter().all(u8::is_ascii_whitespace) {
            // `[]` is an array without elements; anything else has an element too few.
            if self.closed && self.count == 0 {
                return Ok(());
            }
            return Err(self.broken("a comma without an element", offset + stop as u64));
        }
        self.count += 1;
        let range = if too_long.is_some() { start..start } else { start..stop };
        records.push(Record { number: self.count, range, too_long, last_without_end: false });
        Ok(())
    }

    fn broken(&self, what: &str, offset: u64) -> DataError {
        DataError::BrokenArray { path: self.path.clone(), what: what.to_owned(), offset }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn all(text: &str, piece: usize) -> Result<Vec<String>, DataError> {
        let mut cutter = ArrayCutter::new(Path::new("pool.json"));
        let (mut rest, mut rows) = (Vec::new(), Vec::new());
        let mut offset = 1;
        for chunk in text.as_bytes().chunks(piece).chain([&b""[..]]) {
            rest.extend_from_slice(chunk);
            let (records, used) = cutter.cut(&rest, offset, chunk.is_empty())?;
            rows.extend(records.into_iter().map(|record| String::from_utf8(rest[record.range].to_vec()).unwrap()));
            rest.drain(..used);
            offset += used as u64;
        }
        Ok(rows)
    }

    #[test]
    fn cuts_between_elements_only() {
        let text = r#"{"a":"],\"[{"},[1,[2]], "x\\" ]  "#;
        for piece in [1, 2, 5, 100] {
            assert_eq!(all(text, piece).unwrap(), [r#"{"a":"],\"[{"}"#, "[1,[2]]", r#" "x\\" "#]);
        }
        assert!(all("]", 1).unwrap().is_empty());
    }

    #[test]
    fn broken_arrays_say_where() {
        for (text, part) in [
            ("{},", "element 2"),
            ("{\"a", "element 1"),
            ("{},]", "a comma without an element at offset 4"),
            ("{}] x", "follows its closing bracket at offset 5"),
            ("1}", "closing brace without an opening one at offset 2"),
        ] {
            let error = all(text, 100).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
