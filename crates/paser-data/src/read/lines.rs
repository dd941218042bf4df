//! Cuts JSON lines at \n and nowhere else: U+2028 and a lone CR are content of a row.

use super::source::{LONGEST_ROW, Record};

pub(super) struct LineCutter {
    /// Number of the line at which the next `cut` starts.
    number: u64,
    /// Bytes of an overlong line that were thrown away already.
    skipped: Option<u64>,
}

impl LineCutter {
    pub(super) fn new() -> Self {
        Self { number: 1, skipped: None }
    }

    /// Rows in `bytes`, and how many bytes they took; `last` says that nothing follows. Blank lines give no row.
    pub(super) fn cut(&mut self, bytes: &[u8], last: bool) -> (Vec<Record>, usize) {
        let mut records = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let end = bytes[start..].iter().position(|byte| *byte == b'\n').map(|at| start + at);
            if end.is_none() && !last {
                if bytes.len() - start > LONGEST_ROW {
                    *self.skipped.get_or_insert(0) += (bytes.len() - start) as u64;
                    start = bytes.len();
                }
                break;
            }
            let stop = end.unwrap_or(bytes.len());
            let skipped = self.skipped.take();
            let long = skipped.unwrap_or(0) + (stop - start) as u64;
            if skipped.is_some() || long > LONGEST_ROW as u64 {
                records.push(self.record(start..start, Some(long), end.is_none()));
            } else if !bytes[start..stop].iter().all(u8::is_ascii_whitespace) {
                records.push(self.record(start..stop, None, end.is_none()));
            }
            if end.is_some() {
                self.number += 1;
            }
            start = (stop + 1).min(bytes.len());
        }
        if last && let Some(long) = self.skipped.take() {
            records.push(self.record(start..start, Some(long), true));
        }
        (records, start)
    }

    fn record(&self, range: std::ops::Range<usize>, too_long: Option<u64>, last_without_end: bool) -> Record {
        Record { number: self.number, range, too_long, last_without_end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], piece: usize) -> Vec<(u64, Vec<u8>)> {
        let mut cutter = LineCutter::new();
        let (mut rest, mut rows) = (Vec::new(), Vec::new());
        let mut chunks = text.chunks(piece).peekable();
        while let Some(chunk) = chunks.next() {
            rest.extend_from_slice(chunk);
            let (records, used) = cutter.cut(&rest, chunks.peek().is_none());
            rows.extend(records.into_iter().map(|record| (record.number, rest[record.range].to_vec())));
            rest.drain(..used);
        }
        rows
    }

    #[test]
    fn only_newlines_cut_and_blank_lines_count_as_lines() {
        let text = "{a}\r\n\n{b\u{2028}\rc}\n  \n{d}".as_bytes();
        let expected: Vec<(u64, Vec<u8>)> =
            vec![(1, b"{a}\r".to_vec()), (3, "{b\u{2028}\rc}".as_bytes().to_vec()), (5, b"{d}".to_vec())];
        for piece in [1, 2, 3, 7, 100] {
            assert_eq!(all(text, piece), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn an_overlong_line_is_one_row_and_does_not_stay_in_memory() {
        let mut cutter = LineCutter::new();
        let long = vec![b'x'; LONGEST_ROW + 1];
        assert_eq!(cutter.cut(&long, false).1, long.len());
        let (records, used) = cutter.cut(b"xx\n{}\n", false);
        assert_eq!((records.len(), used), (2, 6));
        assert_eq!(records[0].too_long, Some(LONGEST_ROW as u64 + 3));
        assert_eq!((records[1].number, records[1].too_long), (2, None));
    }
}
