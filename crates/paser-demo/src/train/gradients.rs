//! One step's loss and gradients: the batch is cut into parts of equal length mix, each part runs on a thread
//! of its own, and the parts' gradients are added (the loss is divided by the whole batch's answer tokens).

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use candle_core::{Device, Tensor};
use ndarray::Array2;

use super::passes::{Matrices, loss_and_gradients};
use crate::model::{Shape, Weights};
use crate::tokens::Sequenced;

/// Mean loss a token and the gradient of every weight.
pub struct Gradients {
    pub loss: f64,
    pub by_name: BTreeMap<String, Tensor>,
}

/// Gradients of the mean answer-token loss over `samples`, on `threads` threads.
pub fn gradients(shape: &Shape, weights: &Weights, samples: &[Sequenced], threads: usize) -> Result<Gradients> {
    let matrices =
        weights.iter().map(|(name, tensor)| Ok((name.clone(), matrix(tensor)?))).collect::<Result<Matrices>>()?;
    let tokens: usize = samples.iter().map(|s| s.ids.len() - s.prompt).sum();
    let threads = threads.clamp(1, samples.len().max(1));
    let part = |first: usize| {
        let rows: Vec<&Sequenced> = samples.iter().skip(first).step_by(threads).collect();
        loss_and_gradients(shape, &matrices, &rows, tokens)
    };
    let part = &part;
    let parts: Vec<Result<(f64, Matrices)>> = std::thread::scope(|scope| {
        let running: Vec<_> = (1..threads).map(|first| scope.spawn(move || part(first))).collect();
        let mut parts = vec![part(0)];
        for thread in running {
            parts.push(thread.join().unwrap_or_else(|_| Err(anyhow!("a training thread stopped"))));
        }
        parts
    });
    let mut parts = parts.into_iter();
    let (mut loss, mut sum) = parts.next().context("no part was computed")??;
    for part in parts {
        let (part_loss, gradients) = part?;
        loss += part_loss;
        for (name, gradient) in gradients {
            if let Some(total) = sum.get_mut(&name) {
                *total += &gradient;
            }
        }
    }
    let by_name = sum
        .into_iter()
        .map(|(name, gradient)| {
            let dims = weights.get(&name).with_context(|| format!("{name} is not a weight"))?.dims().to_vec();
            let values: Vec<f32> = gradient.iter().copied().collect();
            Ok((name, Tensor::from_vec(values, dims, &Device::Cpu)?))
        })
        .collect::<Result<_>>()?;
    Ok(Gradients { loss, by_name })
}

/// A weight as rows and columns; a vector becomes one row.
fn matrix(tensor: &Tensor) -> Result<Array2<f32>> {
    let (rows, columns) = match *tensor.dims() {
        [columns] => (1, columns),
        [rows, columns] => (rows, columns),
        _ => return Err(anyhow!("a weight of {:?} is neither vector nor matrix", tensor.dims())),
    };
    Ok(Array2::from_shape_vec((rows, columns), tensor.flatten_all()?.to_vec1()?)?)
}
