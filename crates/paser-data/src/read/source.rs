//! The bytes of a pool file in batches of whole rows, so that memory does not grow with the file. Decides the
//! format from the first bytes and refuses what is no text.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use fs_err::File;
use sha2::{Digest, Sha256};

use super::FileFormat;
use super::array::ArrayCutter;
use super::lines::LineCutter;
use crate::DataError;

/// How much is read at once.
const CHUNK: usize = 4 << 20;

/// A longer row is refused: no instruction sample is that long, and a file without line ends is not JSON lines.
pub(super) const LONGEST_ROW: usize = 8 << 20;

/// A row inside [`Batch::bytes`].
pub(super) struct Record {
    /// One-based line or element number.
    pub number: u64,
    pub range: Range<usize>,
    /// The row was longer than [`LONGEST_ROW`]: its length, the range is empty.
    pub too_long: Option<u64>,
    /// The file ends here and the row has no line end.
    pub last_without_end: bool,
}

/// Whole rows.
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    /// Where `bytes` starts in the file.
    pub offset: u64,
    pub records: Vec<Record>,
}

/// Cuts a stream into rows. `cut` gets all bytes that no row holds yet and says how many of them its rows took.
pub(super) enum Cutter {
    Lines(LineCutter),
    Array(ArrayCutter),
}

pub(super) struct Source {
    file: File,
    hasher: Sha256,
    length: u64,
    /// Bytes taken from the file so far.
    position: u64,
    /// Bytes that no row holds yet, and where they start in the file.
    rest: Vec<u8>,
    rest_offset: u64,
    cutter: Cutter,
    ended: bool,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut head = Vec::new();
        file.by_ref().take(CHUNK as u64).read_to_end(&mut head)?;
        let mut hasher = Sha256::new();
        hasher.update(&head);
        let refuse = |what: String| DataError::NotInstructionData { path: path.to_owned(), what };
        if let Some(what) = foreign(&head) {
            return Err(refuse(what));
        }
        let position = head.len() as u64;
        let mut start = 0;
        if head.starts_with(b"\xEF\xBB\xBF") {
            start = 3;
        }
        let blank = head[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let first = head.get(start + blank).copied();
        let cutter = match first {
            None if position >= length => return Err(DataError::Empty { path: path.to_owned() }),
            Some(b'[') => {
                start += blank + 1;
                Cutter::Array(ArrayCutter::new(path))
            }
            _ => Cutter::Lines(LineCutter::new()),
        };
        head.drain(..start);
        Ok(Self {
            file,
            hasher,
            length: length.max(position),
            position,
            rest: head,
            rest_offset: start as u64,
            cutter,
            ended: false,
        })
    }

    pub(super) fn format(&self) -> FileFormat {
        match self.cutter {
            Cutter::Lines(_) => FileFormat::JsonLines,
            Cutter::Array(_) => FileFormat::JsonArray,
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn sha256(&self) -> String {
        hex::encode(self.hasher.clone().finalize())
    }

    /// The next rows, `None` at the end of the file.
    pub(super) fn next_batch(&mut self) -> Result<Option<Batch>, DataError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let mut bytes = std::mem::take(&mut self.rest);
            let offset = self.rest_offset;
            let before = bytes.len();
            self.file.by_ref().take(CHUNK as u64).read_to_end(&mut bytes)?;
            let fresh = &bytes[before..];
            self.hasher.update(fresh);
            self.position += fresh.len() as u64;
            self.length = self.length.max(self.position);
            self.ended = fresh.is_empty();
            let (records, used) = match &mut self.cutter {
                Cutter::Lines(lines) => lines.cut(&bytes, self.ended),
                Cutter::Array(array) => array.cut(&bytes, offset, self.ended)?,
            };
            self.rest = bytes[used..].to_vec();
            self.rest_offset = offset + used as u64;
            if !records.is_empty() {
                return Ok(Some(Batch { bytes, offset, records }));
            }
        }
    }
}

/// A sentence about content that is certainly no JSON text.
fn foreign(head: &[u8]) -> Option<String> {
    const FORMATS: [(&[u8], &str); 6] = [
        (b"ARROW1", "is an Arrow file"),
        (b"\x1f\x8b", "is compressed with gzip"),
        (b"\x28\xb5\x2f\xfd", "is compressed with zstd"),
        (b"PK\x03\x04", "is a zip archive"),
        (b"SQLite format 3\0", "is an SQLite database"),
        (b"version https://git-lfs", "is a Git LFS pointer, not the data itself"),
    ];
    let wanted = "this version reads a JSON array or JSON lines in UTF-8, and Parquet";
    for (magic, what) in FORMATS {
        if head.starts_with(magic) {
            return Some(format!("{what}; {wanted}: convert it first"));
        }
    }
    if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
        return Some(format!("is encoded in UTF-16 (byte 0x{:02X} at offset 0); {wanted}: convert it first", head[0]));
    }
    let zero = head.iter().take(8192).position(|byte| *byte == 0)?;
    Some(format!("is binary (byte 0x00 at offset {zero}); {wanted}: export the data as text"))
}
