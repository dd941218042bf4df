//! Lists of rows on the wire: a short one as numbers, a long rising one as text, in which the step to the next row takes
//! a letter or two. A brush over a million rows is 1 MB this way, and 7 MB as numbers.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Longest list that is written as numbers.
const SHORT: usize = 1_000;
/// Five bits a digit; the second half of them says that another follows.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// For `#[serde(with = "crate::rows")]`.
///
/// # Errors
/// The serialiser's own.
pub fn serialize<S: Serializer>(rows: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
    if rows.len() > SHORT && rows.is_sorted_by(|a, b| a < b) {
        serializer.serialize_str(&to_text(rows))
    } else {
        serializer.collect_seq(rows)
    }
}

/// The inverse of [`serialize`].
///
/// # Errors
/// Neither numbers nor such a text.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    match Either::deserialize(deserializer)? {
        Either::Numbers(rows) => Ok(rows),
        Either::Text(text) => from_text(&text).ok_or_else(|| D::Error::custom("the text is no list of rows")),
    }
}

/// The same for a list that may be missing.
pub mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Rows(#[serde(with = "super")] Vec<u32>);

    #[derive(Serialize)]
    #[serde(transparent)]
    struct Borrowed<'a>(#[serde(serialize_with = "super::serialize")] &'a [u32]);

    /// # Errors
    /// The serialiser's own.
    pub fn serialize<S: Serializer>(rows: &Option<Vec<u32>>, serializer: S) -> Result<S::Ok, S::Error> {
        rows.as_deref().map(Borrowed).serialize(serializer)
    }

    /// # Errors
    /// Neither numbers nor such a text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u32>>, D::Error> {
        Ok(Option::<Rows>::deserialize(deserializer)?.map(|rows| rows.0))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Numbers(Vec<u32>),
    Text(String),
}

/// Steps between rising rows, the first from 0, each less one but for the first.
fn to_text(rows: &[u32]) -> String {
    let mut text = String::with_capacity(rows.len() + rows.len() / 4);
    let mut next = 0;
    for &row in rows {
        let mut step = row - next;
        while step >= 32 {
            text.push(char::from(DIGITS[(32 | step & 31) as usize]));
            step >>= 5;
        }
        text.push(char::from(DIGITS[step as usize]));
        next = row.saturating_add(1);
    }
    text
}

fn from_text(text: &str) -> Option<Vec<u32>> {
    let mut rows = Vec::with_capacity(text.len());
    let (mut next, mut step, mut shift) = (0_u64, 0_u64, 0);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        if shift > 30 {
            return None;
        }
        step |= u64::from(digit & 31) << shift;
        if digit & 32 != 0 {
            shift += 5;
            continue;
        }
        let row = u32::try_from(next + step).ok()?;
        rows.push(row);
        (next, step, shift) = (u64::from(row) + 1, 0, 0);
    }
    (shift == 0).then_some(rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["!", "g", "______E", "_______A"] {
            assert_eq!(from_text(text), None, "{text}");
        }
        assert_eq!(from_text("").unwrap(), [0_u32; 0]);
    }

    proptest! {
        #[test]
        fn rising_rows_come_back(rows in proptest::collection::btree_set(any::<u32>(), 0..300)) {
            let rows: Vec<u32> = rows.into_iter().collect();
            prop_assert_eq!(from_text(&to_text(&rows)).unwrap(), rows);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = from_text(&text);
        }
    }
}
