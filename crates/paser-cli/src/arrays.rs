//! Safetensors files that hold arrays: read with every fault named, written whole or not at all.

use std::path::Path;

use paser_protocol::Report;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use crate::exit::{OrTell, unusable};

/// An array to be written: name, type, shape, little-endian bytes.
pub struct Array {
    pub name: &'static str,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Array {
    pub fn f32(name: &'static str, shape: Vec<usize>, values: impl IntoIterator<Item = f32>) -> Self {
        Self { name, dtype: Dtype::F32, shape, bytes: values.into_iter().flat_map(f32::to_le_bytes).collect() }
    }

    pub fn f64(name: &'static str, shape: Vec<usize>, values: impl IntoIterator<Item = f64>) -> Self {
        Self { name, dtype: Dtype::F64, shape, bytes: values.into_iter().flat_map(f64::to_le_bytes).collect() }
    }

    pub fn i32(name: &'static str, shape: Vec<usize>, values: impl IntoIterator<Item = i32>) -> Self {
        Self { name, dtype: Dtype::I32, shape, bytes: values.into_iter().flat_map(i32::to_le_bytes).collect() }
    }
}

pub fn write(path: &Path, arrays: &[Array]) -> Result<(), Report> {
    let views: Result<Vec<_>, _> = arrays
        .iter()
        .map(|array| TensorView::new(array.dtype, array.shape.clone(), &array.bytes).map(|view| (array.name, view)))
        .collect();
    let bytes = views
        .and_then(|views| serialize(views, None))
        .map_err(|error| Report::new(paser_protocol::Failure::Failed, format!("{}: {error}", path.display()), ""))?;
    paser_project::write_durably(path, &bytes).or_tell()
}

/// The matrix `name` [rows, columns] of 32-bit floats.
pub fn read_matrix(path: &Path, name: &str) -> Result<(Vec<f32>, usize, usize), Report> {
    let fault = |what: String| {
        unusable(
            format!("{}: {what}", path.display()),
            format!("Give a safetensors file with {name} [n, d] as 32-bit floats, as `paser encode` writes it."),
        )
    };
    let bytes = fs_err::read(path).or_tell()?;
    let file =
        SafeTensors::deserialize(&bytes).map_err(|error| fault(format!("not a readable safetensors file: {error}")))?;
    let tensor = file.tensor(name).map_err(|_| fault(format!("there is no tensor {name}")))?;
    let &[rows, columns] = tensor.shape() else {
        return Err(fault(format!("{name} has shape {:?}, not two dimensions", tensor.shape())));
    };
    if tensor.dtype() != Dtype::F32 {
        return Err(fault(format!("{name} is stored as {:?}", tensor.dtype())));
    }
    Ok((paser_protocol::decode_f32(tensor.data()), rows, columns))
}
