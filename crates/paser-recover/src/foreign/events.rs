//! TensorBoard's event files, read without TensorFlow: records of length, checksum, data, checksum (TFRecord, CRC-32C), each
//! a protocol-buffer `Event` (tensorboard/compat/proto/event.proto, summary.proto). Scalars only. A run that was killed
//! leaves half a record: what stands before it counts, and the damage is told.

use std::io::{BufReader, Read};
use std::path::Path;

use fs_err::File;

use super::{ForeignCurve, ForeignError, MAX_POINTS};

/// Largest record that is read; graphs and pictures stay below.
const MAX_RECORD: u64 = 64 << 20;

/// Reads one event file. `began` is the time of the run's first event, seconds since 1970, from which seconds count; none:
/// this file's first.
///
/// # Errors
/// A file that cannot be read or holds no whole event at all, and more steps than a curve may have.
pub fn read_events(path: &Path, began: Option<f64>) -> Result<ForeignCurve, ForeignError> {
    let unreadable = |reason: String| ForeignError::Unreadable { path: path.to_owned(), reason };
    let mut records = Records { file: BufReader::new(File::open(path)?), read: 0 };
    let mut curve = ForeignCurve::default();
    let (mut began, mut events, mut strange) = (began, 0_u64, 0_u64);
    loop {
        let (event, damage) = match records.next()? {
            Record::End => break,
            Record::Whole(data) => match Event::read(&data) {
                Some(event) => (Some(event), None),
                None => (None, Some("no event".to_owned())),
            },
            Record::Damaged(reason) => (None, Some(reason)),
        };
        let Some(event) = event else {
            let reason = damage.unwrap_or_default();
            if events == 0 {
                return Err(unreadable(format!("it holds no TensorBoard event: {reason}")));
            }
            curve.notes.push(format!(
                "{}: damaged after {events} events ({reason}); what stands before is used.",
                path.display()
            ));
            break;
        };
        events += 1;
        let first = *began.get_or_insert(event.time);
        for scalar in event.scalars {
            let Some(field) = Field::of(&scalar.tag) else { continue };
            if !scalar.value.is_finite() {
                strange += 1;
                continue;
            }
            let Some(point) = curve.at(event.step) else {
                return Err(unreadable(format!("the curve has more than {MAX_POINTS} steps")));
            };
            match field {
                Field::Loss => point.loss = Some(scalar.value),
                Field::EvalLoss => point.eval_loss = Some(scalar.value),
                Field::LearningRate => point.learning_rate = Some(scalar.value),
                Field::Tokens => point.tokens = Some(scalar.value as u64),
            }
            let passed = event.time - first;
            point.seconds = Some(passed).filter(|passed| passed.is_finite() && *passed >= 0.0).or(point.seconds);
        }
    }
    if strange > 0 {
        curve.notes.push(format!(
            "{}: {strange} value(s) are NaN or infinite: the run diverged at least for a while. They are left out.",
            path.display()
        ));
    }
    Ok(curve)
}

/// When the first event of a file was written, seconds since 1970.
pub(super) fn first_time(path: &Path) -> Option<f64> {
    let mut records = Records { file: BufReader::new(File::open(path).ok()?), read: 0 };
    match records.next() {
        Ok(Record::Whole(data)) => Event::read(&data).map(|event| event.time).filter(|time| time.is_finite()),
        _ => None,
    }
}

enum Field {
    Loss,
    EvalLoss,
    LearningRate,
    Tokens,
}

impl Field {
    /// Hugging Face's tags, and the bare ones that scripts use.
    fn of(tag: &str) -> Option<Self> {
        match tag {
            "train/loss" | "loss" => Some(Self::Loss),
            "eval/loss" | "eval_loss" => Some(Self::EvalLoss),
            "train/learning_rate" | "learning_rate" => Some(Self::LearningRate),
            "train/num_input_tokens_seen" | "train/num_tokens" => Some(Self::Tokens),
            _ => None,
        }
    }
}

enum Record {
    Whole(Vec<u8>),
    End,
    Damaged(String),
}

struct Records<R> {
    file: R,
    /// Bytes before the record.
    read: u64,
}

impl<R: Read> Records<R> {
    fn next(&mut self) -> Result<Record, ForeignError> {
        let at = self.read;
        let damaged = |what: &str| Ok(Record::Damaged(format!("{what} at byte {at}")));
        let head = self.bytes(12)?;
        if head.is_empty() {
            return Ok(Record::End);
        }
        let (Some(length), Some(check)) = (head.first_chunk::<8>(), head.last_chunk::<4>()) else {
            return damaged("cut off");
        };
        if head.len() < 12 {
            return damaged("cut off");
        }
        if masked(crc32c(length)) != u32::from_le_bytes(*check) {
            return damaged("wrong checksum of a length");
        }
        let length = u64::from_le_bytes(*length);
        if length > MAX_RECORD {
            return damaged("a record of impossible length");
        }
        let mut data = self.bytes(length + 4)?;
        if (data.len() as u64) < length + 4 {
            return damaged("cut off");
        }
        let check = data.split_off(data.len() - 4);
        if check.first_chunk::<4>().map(|check| u32::from_le_bytes(*check)) != Some(masked(crc32c(&data))) {
            return damaged("wrong checksum");
        }
        Ok(Record::Whole(data))
    }

    /// So many bytes, fewer at the end. The memory grows with what is there, not with what a length claims.
    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, ForeignError> {
        let mut bytes = Vec::new();
        self.file.by_ref().take(count).read_to_end(&mut bytes)?;
        self.read += bytes.len() as u64;
        Ok(bytes)
    }
}

/// TFRecord stores checksums turned and shifted.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), reflected.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut crc = index as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
                bit += 1;
            }
            table[index] = crc;
            index += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

#[derive(Debug, Default, PartialEq)]
struct Event {
    /// Seconds since 1970.
    time: f64,
    step: u64,
    scalars: Vec<Scalar>,
}

#[derive(Debug, Default, PartialEq)]
struct Scalar {
    tag: String,
    value: f64,
}

impl Event {
    fn read(data: &[u8]) -> Option<Self> {
        let mut event = Self::default();
        for field in Fields(data) {
            match field? {
                (1, Wire::Eight(bytes)) => event.time = f64::from_le_bytes(bytes),
                (2, Wire::Number(step)) => event.step = step,
                (5, Wire::Bytes(summary)) => {
                    for value in Fields(summary) {
                        if let (1, Wire::Bytes(value)) = value? {
                            event.scalars.extend(Scalar::read(value)?);
                        }
                    }
                }
                _ => {}
            }
        }
        // A negative step comes as a huge one.
        if event.step > i64::MAX as u64 { None } else { Some(event) }
    }
}

impl Scalar {
    /// Outer none: no protocol buffer; inner none: no scalar.
    fn read(data: &[u8]) -> Option<Option<Self>> {
        let (mut tag, mut value) = (String::new(), None);
        for field in Fields(data) {
            match field? {
                (1, Wire::Bytes(name)) => tag = String::from_utf8_lossy(name).into_owned(),
                (2, Wire::Four(bytes)) => value = Some(f64::from(f32::from_le_bytes(bytes))),
                (8, Wire::Bytes(tensor)) => value = tensor_scalar(tensor)?,
                _ => {}
            }
        }
        Some(value.map(|value| Self { tag, value }))
    }
}

/// The value of a tensor with one float or double (`TensorProto`: type 1, shape 2, content 4, floats 5, doubles 6).
fn tensor_scalar(data: &[u8]) -> Option<Option<f64>> {
    const FLOAT: u64 = 1;
    const DOUBLE: u64 = 2;
    let (mut kind, mut values): (u64, &[u8]) = (0, &[]);
    let mut single = None;
    for field in Fields(data) {
        match field? {
            (1, Wire::Number(number)) => kind = number,
            (4..=6, Wire::Bytes(bytes)) if !bytes.is_empty() => values = bytes,
            (5, Wire::Four(bytes)) => single = Some(f64::from(f32::from_le_bytes(bytes))),
            (6, Wire::Eight(bytes)) => single = Some(f64::from_le_bytes(bytes)),
            _ => {}
        }
    }
    Some(match (kind, values.len()) {
        (FLOAT, 4) => values.first_chunk().map(|bytes| f64::from(f32::from_le_bytes(*bytes))),
        (DOUBLE, 8) => values.first_chunk().map(|bytes| f64::from_le_bytes(*bytes)),
        (FLOAT | DOUBLE, 0) => single,
        _ => None,
    })
}

/// A field's content by its wire type.
enum Wire<'a> {
    Number(u64),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
    Four([u8; 4]),
}

/// Fields of a protocol buffer with their numbers; a none in between ends it: it is none.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Eight(self.array()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Wire::Bytes(bytes)
            }
            5 => Wire::Four(self.array()?),
            _ => return None,
        };
        Some((key >> 3, wire))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Wire<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_castagnolis() {
        // The check value of CRC-32C, and 32 zero bytes of RFC 3720.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }
}
