//! GGUF version 3 as bytes: header, key-value pairs, tensor infos, then data at multiples of the alignment (ggml-org/ggml,
//! `docs/gguf.md`).

/// Data and every tensor begin at a multiple of so many bytes.
pub(super) const ALIGNMENT: u64 = 32;
const VERSION: u32 = 3;

/// ggml's number of a tensor's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TensorType {
    F32 = 0,
    F16 = 1,
    Bf16 = 30,
}

impl TensorType {
    /// Bytes of a value.
    pub(super) fn width(self) -> u64 {
        if self == Self::F32 { 4 } else { 2 }
    }
}

/// A value of the header.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    I32s(Vec<i32>),
    Texts(Vec<String>),
}

/// Numbers of value types in the file.
const INT32: u32 = 5;
const STRING: u32 = 8;

/// The beginning of a file in the making.
#[derive(Debug, Default)]
pub(super) struct Header {
    pairs: Vec<u8>,
    pair_count: u64,
    tensors: Vec<u8>,
    tensor_count: u64,
    /// Where the next tensor begins, counted from the first.
    offset: u64,
}

impl Header {
    pub(super) fn add(&mut self, key: &str, value: Value) {
        self.pair_count += 1;
        text(&mut self.pairs, key);
        let mut head = |kind: u32| self.pairs.extend_from_slice(&kind.to_le_bytes());
        match value {
            Value::U32(number) => {
                head(4);
                self.pairs.extend_from_slice(&number.to_le_bytes());
            }
            Value::F32(number) => {
                head(6);
                self.pairs.extend_from_slice(&number.to_le_bytes());
            }
            Value::Bool(switch) => {
                head(7);
                self.pairs.push(switch.into());
            }
            Value::Text(words) => {
                head(STRING);
                text(&mut self.pairs, &words);
            }
            Value::I32s(numbers) => {
                self.list(INT32, numbers.len());
                self.pairs.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            }
            Value::Texts(texts) => {
                self.list(STRING, texts.len());
                for words in &texts {
                    text(&mut self.pairs, words);
                }
            }
        }
    }

    fn list(&mut self, kind: u32, length: usize) {
        self.pairs.extend_from_slice(&9_u32.to_le_bytes());
        self.pairs.extend_from_slice(&kind.to_le_bytes());
        self.pairs.extend_from_slice(&(length as u64).to_le_bytes());
    }

    /// Enters the next tensor; `shape` has rows first.
    pub(super) fn tensor(&mut self, name: &str, shape: &[usize], kind: TensorType) {
        self.tensor_count += 1;
        text(&mut self.tensors, name);
        self.tensors.extend_from_slice(&(shape.len() as u32).to_le_bytes());
        for &length in shape.iter().rev() {
            self.tensors.extend_from_slice(&(length as u64).to_le_bytes());
        }
        self.tensors.extend_from_slice(&(kind as u32).to_le_bytes());
        self.tensors.extend_from_slice(&self.offset.to_le_bytes());
        let bytes = shape.iter().product::<usize>() as u64 * kind.width();
        self.offset += bytes.next_multiple_of(ALIGNMENT);
    }

    /// Everything before the data, padded.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.tensor_count.to_le_bytes());
        bytes.extend_from_slice(&self.pair_count.to_le_bytes());
        bytes.extend_from_slice(&self.pairs);
        bytes.extend_from_slice(&self.tensors);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
        bytes
    }
}

fn text(out: &mut Vec<u8>, words: &str) {
    out.extend_from_slice(&(words.len() as u64).to_le_bytes());
    out.extend_from_slice(words.as_bytes());
}
