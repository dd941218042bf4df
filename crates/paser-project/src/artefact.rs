//! Content-addressed arrays: `arrays/<stage>-<key>.safetensors` beside `<stage>-<key>.json`, its manifest. The key
//! is the SHA-256 of everything that decides the content, so what is found under a key is never stale. The
//! manifest is written last: an artefact without one does not exist.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{ProjectError, sha256_hex, write_durably};

/// The elements of one array.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
    U32(Vec<u32>),
    U8(Vec<u8>),
}

/// A named array of an artefact, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Values,
}

impl Array {
    /// One value per row.
    pub fn column(values: impl Into<Values>) -> Self {
        let values = values.into();
        Self { shape: vec![values.len()], values }
    }

    /// `rows` x `columns`, row-major.
    pub fn matrix(rows: usize, columns: usize, values: impl Into<Values>) -> Self {
        Self { shape: vec![rows, columns], values: values.into() }
    }
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::U8(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
            Self::U32(_) => Dtype::U32,
            Self::U8(_) => Dtype::U8,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::F64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::U32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::U8(values) => values.clone(),
        }
    }

    fn from_bytes(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
        Some(match dtype {
            Dtype::F32 => Self::F32(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Dtype::F64 => Self::F64(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
            Dtype::U32 => Self::U32(bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect()),
            Dtype::U8 => Self::U8(bytes.to_vec()),
            _ => return None,
        })
    }
}

macro_rules! values_from {
    ($($element:ty => $variant:ident),*) => {$(
        impl From<Vec<$element>> for Values {
            fn from(values: Vec<$element>) -> Self {
                Self::$variant(values)
            }
        }
    )*};
}
values_from!(f32 => F32, f64 => F64, u32 => U32, u8 => U8);

/// The arrays of one artefact, by name. Equal arrays give equal bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrays(BTreeMap<String, Array>);

impl Arrays {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn insert(&mut self, name: impl Into<String>, array: Array) -> &mut Self {
        self.0.insert(name.into(), array);
        self
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn get(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    pub fn f32(&self, name: &str) -> Option<&[f32]> {
        match self.0.get(name).map(|array| &array.values) {
            Some(Values::F32(values)) => Some(values),
            _ => None,
        }
    }

    pub fn f64(&self, name: &str) -> Option<&[f64]> {
        match self.0.get(name).map(|array| &array.values) {
            Some(Values::F64(values)) => Some(values),
            _ => None,
        }
    }

    pub fn u32(&self, name: &str) -> Option<&[u32]> {
        match self.0.get(name).map(|array| &array.values) {
            Some(Values::U32(values)) => Some(values),
            _ => None,
        }
    }

    pub fn u8(&self, name: &str) -> Option<&[u8]> {
        match self.0.get(name).map(|array| &array.values) {
            Some(Values::U8(values)) => Some(values),
            _ => None,
        }
    }

    /// The array of that name, which is none of these any more; none where it holds other elements.
    pub fn take_f32(&mut self, name: &str) -> Option<Vec<f32>> {
        self.f32(name)?;
        match self.0.remove(name)?.values {
            Values::F32(values) => Some(values),
            _ => None,
        }
    }

    pub fn take_f64(&mut self, name: &str) -> Option<Vec<f64>> {
        self.f64(name)?;
        match self.0.remove(name)?.values {
            Values::F64(values) => Some(values),
            _ => None,
        }
    }

    pub fn take_u32(&mut self, name: &str) -> Option<Vec<u32>> {
        self.u32(name)?;
        match self.0.remove(name)?.values {
            Values::U32(values) => Some(values),
            _ => None,
        }
    }

    pub fn take_u8(&mut self, name: &str) -> Option<Vec<u8>> {
        self.u8(name)?;
        match self.0.remove(name)?.values {
            Values::U8(values) => Some(values),
            _ => None,
        }
    }

    /// The safetensors file of these arrays.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ProjectError> {
        let bytes: Vec<Vec<u8>> = self.0.values().map(|array| array.values.to_bytes()).collect();
        let mut views = Vec::with_capacity(bytes.len());
        for ((name, array), bytes) in self.0.iter().zip(&bytes) {
            let view = TensorView::new(array.values.dtype(), array.shape.clone(), bytes)
                .map_err(|error| ProjectError::damaged(name.as_str(), error.to_string()))?;
            views.push((name.as_str(), view));
        }
        safetensors::serialize(views, None).map_err(|error| ProjectError::damaged("arrays", error.to_string()))
    }

    /// Reads a safetensors file; `path` names it in errors.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, ProjectError> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| ProjectError::damaged(path, error.to_string()))?;
        let mut arrays = Self::new();
        for (name, view) in file.iter() {
            let values = Values::from_bytes(view.dtype(), view.data()).ok_or_else(|| {
                ProjectError::damaged(path, format!("array `{name}` has the element type {:?}", view.dtype()))
            })?;
            arrays.insert(name, Array { shape: view.shape().to_vec(), values });
        }
        Ok(arrays)
    }
}

/// Everything that decides an artefact's content, by name, so that a difference can be told in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inputs(BTreeMap<String, String>);

impl Inputs {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// SHA-256 over names and values, each with its length before it.
    pub fn key(&self) -> String {
        let mut text = Vec::new();
        for (name, value) in &self.0 {
            for part in [name, value] {
                text.extend_from_slice(&(part.len() as u64).to_le_bytes());
                text.extend_from_slice(part.as_bytes());
            }
        }
        sha256_hex(&text)
    }

    /// Names of what differs from `other`, in order.
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let names: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        names.into_iter().filter(|name| self.0.get(*name) != other.0.get(*name)).cloned().collect()
    }
}

/// What is written beside an artefact's arrays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub stage: String,
    pub key: String,
    pub inputs: Inputs,
    /// Of the arrays' file.
    pub sha256: String,
    pub bytes: u64,
    pub seconds: f64,
    pub peak_memory_bytes: u64,
    /// Milliseconds since 1970.
    pub created: u64,
    /// Version of the program that computed it.
    pub program: String,
    /// Measured quality and counts, as the stage says.
    pub summary: serde_json::Value,
}

/// A manifest and its arrays.
#[derive(Clone, Debug)]
pub struct Artefact {
    pub manifest: Manifest,
    pub arrays: Arrays,
}

/// The folder of artefacts.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// What a stage measured about its own run.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    pub seconds: f64,
    pub peak_memory_bytes: u64,
    pub summary: serde_json::Value,
}

impl Store {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn stem(&self, stage: &str, key: &str) -> PathBuf {
        self.folder.join(format!("{stage}-{}", key.get(..32).unwrap_or(key)))
    }

    /// Path of an artefact's arrays.
    pub fn path(&self, stage: &str, key: &str) -> PathBuf {
        self.stem(stage, key).with_extension("safetensors")
    }

    /// The manifest under a key; none where the artefact was never finished. Reads no arrays.
    pub fn manifest(&self, stage: &str, key: &str) -> Option<Manifest> {
        let text = fs_err::read(self.stem(stage, key).with_extension("json")).ok()?;
        let manifest: Manifest = serde_json::from_slice(&text).ok()?;
        let length = fs_err::metadata(self.path(stage, key)).ok()?.len();
        (manifest.key == key && manifest.bytes == length).then_some(manifest)
    }

    /// Writes arrays, then the manifest; both survive a power cut.
    pub fn put(
        &self,
        stage: &str,
        inputs: &Inputs,
        arrays: &Arrays,
        measured: Measured,
    ) -> Result<Manifest, ProjectError> {
        let key = inputs.key();
        let bytes = arrays.to_bytes()?;
        fs_err::create_dir_all(&self.folder)?;
        write_durably(&self.path(stage, &key), &bytes)?;
        let manifest = Manifest {
            stage: stage.to_owned(),
            inputs: inputs.clone(),
            sha256: sha256_hex(&bytes),
            bytes: bytes.len() as u64,
            seconds: measured.seconds,
            peak_memory_bytes: measured.peak_memory_bytes,
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            summary: measured.summary,
            key,
        };
        let text = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
        write_durably(&self.stem(stage, &manifest.key).with_extension("json"), &text)?;
        Ok(manifest)
    }

    /// The artefact under a key, its checksum verified; none where it was never finished.
    ///
    /// # Errors
    /// `Damaged` where the file's bytes are not the manifest's.
    pub fn get(&self, stage: &str, key: &str) -> Result<Option<Artefact>, ProjectError> {
        let Some(manifest) = self.manifest(stage, key) else { return Ok(None) };
        let path = self.path(stage, key);
        let bytes = fs_err::read(&path)?;
        if sha256_hex(&bytes) != manifest.sha256 {
            return Err(ProjectError::damaged(path, "its checksum is not the manifest's"));
        }
        Ok(Some(Artefact { arrays: Arrays::from_bytes(&bytes, &path)?, manifest }))
    }

    /// Removes an artefact: manifest first, so that half of it never looks whole.
    pub fn remove(&self, stage: &str, key: &str) -> Result<(), ProjectError> {
        for extension in ["json", "safetensors"] {
            let path = self.stem(stage, key).with_extension(extension);
            if path.exists() {
                fs_err::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Every finished artefact, by file name.
    pub fn list(&self) -> Result<Vec<Manifest>, ProjectError> {
        let mut found = HashMap::new();
        for entry in fs_err::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs_err::read(&path)?;
                if let Ok(manifest) = serde_json::from_slice::<Manifest>(&text) {
                    found.insert(path, manifest);
                }
            }
        }
        let mut manifests: Vec<(PathBuf, Manifest)> = found.into_iter().collect();
        manifests.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(manifests.into_iter().map(|(_, manifest)| manifest).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Arrays {
        let mut arrays = Arrays::new();
        arrays
            .insert("jsd", Array::column(vec![0.5_f32, f32::NAN, 0.0]))
            .insert("cluster", Array::column(vec![1_u32, u32::MAX, 0]))
            .insert("map", Array::matrix(3, 2, vec![0.0_f32; 6]))
            .insert("eigenvalues", Array::column(vec![1.0_f64, 0.5]))
            .insert("reason", Array::column(vec![1_u8, 2]));
        arrays
    }

    #[test]
    fn comes_back_as_it_was_and_the_same_bytes_each_time() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::new(place.path());
        let inputs = Inputs::new().with("rows", "abc").with("version", 1);
        let first = store.put("score", &inputs, &sample(), Measured::default()).unwrap();
        let second = store.put("score", &inputs, &sample(), Measured::default()).unwrap();
        assert_eq!(first.sha256, second.sha256);
        let found = store.get("score", &inputs.key()).unwrap().unwrap();
        assert_eq!(found.arrays.u32("cluster").unwrap(), &[1, u32::MAX, 0]);
        assert!(found.arrays.f32("jsd").unwrap()[1].is_nan());
        assert_eq!(found.arrays.get("map").unwrap().shape, [3, 2]);
        assert_eq!(store.list().unwrap().len(), 1);
    }

    #[test]
    fn a_changed_byte_is_seen_and_a_missing_manifest_is_no_artefact() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::new(place.path());
        let inputs = Inputs::new().with("rows", "abc");
        let manifest = store.put("score", &inputs, &sample(), Measured::default()).unwrap();
        let path = store.path("score", &manifest.key);
        let mut bytes = fs_err::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs_err::write(&path, &bytes).unwrap();
        let error = store.get("score", &manifest.key).unwrap_err();
        assert!(error.to_string().contains("checksum"), "{error}");
        fs_err::remove_file(path.with_extension("json")).unwrap();
        assert!(store.get("score", &manifest.key).unwrap().is_none());
    }

    #[test]
    fn key_and_difference_follow_every_input() {
        let a = Inputs::new().with("rows", "x").with("dtype", "f32");
        let b = a.clone().with("dtype", "bf16");
        assert_ne!(a.key(), b.key());
        assert_eq!(a.difference(&b), ["dtype"]);
        // Moving a letter from a value to its neighbour's name is another key.
        assert_ne!(Inputs::new().with("ab", "c").key(), Inputs::new().with("a", "bc").key());
    }

    proptest! {
        #[test]
        fn any_columns_round_trip(values in proptest::collection::vec(any::<u32>(), 0..50)) {
            let mut arrays = Arrays::new();
            arrays.insert("a", Array::column(values.clone()));
            let back = Arrays::from_bytes(&arrays.to_bytes().unwrap(), Path::new("a")).unwrap();
            prop_assert_eq!(back.u32("a").unwrap(), &values[..]);
        }

        #[test]
        fn arbitrary_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Arrays::from_bytes(&bytes, Path::new("a"));
        }
    }
}
