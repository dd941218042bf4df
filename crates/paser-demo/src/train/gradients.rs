//! One step's loss and gradients: the batch is cut into parts of equal length mix, each part runs on a thread
//! of its own, and the parts' gradients are added (the loss is divided by the whole batch's answer tokens).

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use candle_core::{Tensor, Var};

use crate::model::{Batch, Shape, Weights, loss};
use crate::tokens::Sequenced;

/// Mean loss a token and the gradient of every weight.
pub struct Gradients {
    pub loss: f64,
    pub by_name: BTreeMap<String, Tensor>,
}

/// Gradients of the mean answer-token loss over `samples`, on `threads` threads.
pub fn gradients(
    shape: &Shape,
    weights: &Weights,
    samples: &[Sequenced],
    threads: usize,
) -> Result<Gradients> {
    let variables = weights
        .iter()
        .map(|(name, tensor)| {
            let variable = Var::from_tensor(tensor)?;
            Ok((name.clone(), variable.as_tensor().clone()))
        })
        .collect::<Result<Weights>>()?;
    let tokens: usize = samples.iter().map(|s| s.ids.len() - s.prompt).sum();
    let threads = threads.clamp(1, samples.len().max(1));
    let part = |first: usize| -> Result<Gradients> {
        let rows: Vec<&Sequenced> = samples.iter().skip(first).step_by(threads).collect();
        let loss = loss(shape, &variables, &Batch::new(&rows)?, tokens)?;
        let store = loss.backward()?;
        let by_name = variables
            .iter()
            .map(|(name, variable)| {
                let gradient = store
                    .get(variable)
                    .with_context(|| format!("no gradient reaches {name}"))?;
                Ok((name.clone(), gradient.clone()))
            })
            .collect::<Result<_>>()?;
        Ok(Gradients {
            loss: f64::from(loss.to_scalar::<f32>()?),
            by_name,
        })
    };
    let part = &part;
    let parts: Vec<Result<Gradients>> = std::thread::scope(|scope| {
        let running: Vec<_> = (1..threads)
            .map(|first| scope.spawn(move || part(first)))
            .collect();
        let mut parts = vec![part(0)];
        for thread in running {
            parts.push(thread.join().unwrap_or_else(|_| Err(anyhow!("a training thread stopped"))));
        }
        parts
    });
    let mut parts = parts.into_iter();
    let mut sum = parts.next().context("no part was computed")??;
    for part in parts {
        let part = part?;
        sum.loss += part.loss;
        for (name, gradient) in part.by_name {
            if let Some(total) = sum.by_name.get_mut(&name) {
                *total = (&*total + gradient)?;
            }
        }
    }
    Ok(sum)
}
