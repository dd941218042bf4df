//! Muon on the layers' matrices (momentum orthogonalised by five Newton-Schulz steps), AdamW on the embedding
//! and the norms, both with decoupled decay. Its state is saved with every checkpoint.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use candle_core::Tensor;

use crate::model::Weights;

/// Learning rates at their height and what goes with them.
#[derive(Clone, Debug)]
pub struct Rates {
    pub muon: f64,
    pub adam: f64,
    pub momentum: f64,
    pub betas: (f64, f64),
    /// Decay of the matrices, per step and unit of learning rate.
    pub decay: f64,
    /// Largest norm of all gradients together.
    pub clip: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { muon: 0.02, adam: 3e-3, momentum: 0.95, betas: (0.9, 0.95), decay: 0.1, clip: 1.0 }
    }
}

/// Moments of every weight: `first.NAME`, and `second.NAME` where AdamW is used.
pub struct Optimizer {
    rates: Rates,
    state: Weights,
    step: usize,
}

fn is_matrix(name: &str) -> bool {
    name.ends_with("_proj.weight")
}

impl Optimizer {
    pub fn new(rates: Rates) -> Self {
        Self { rates, state: Weights::new(), step: 0 }
    }

    /// Goes on from saved moments after `step` steps.
    pub fn resume(rates: Rates, state: Weights, step: usize) -> Self {
        Self { rates, state, step }
    }

    pub fn state(&self) -> &Weights {
        &self.state
    }

    /// One update; `scale` in 0..=1 multiplies the learning rates.
    pub fn update(&mut self, weights: &mut Weights, gradients: &BTreeMap<String, Tensor>, scale: f64) -> Result<()> {
        self.step += 1;
        let mut squares = 0.0;
        for gradient in gradients.values() {
            squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        let shrink = (self.rates.clip / squares.sqrt().max(1e-12)).min(1.0);
        for (name, weight) in weights.iter_mut() {
            let gradient = gradients.get(name).with_context(|| format!("no gradient for {name}"))?;
            let gradient = (gradient.detach() * shrink)?;
            *weight = if is_matrix(name) {
                self.muon(name, weight, &gradient, scale)?
            } else {
                self.adam(name, weight, &gradient, scale)?
            }
            .detach();
        }
        Ok(())
    }

    /// `rate * old + (1 - rate) * new` kept under `key`; a missing old value is zero.
    fn average(&mut self, key: String, new: &Tensor, rate: f64) -> Result<Tensor> {
        let fresh = (new * (1.0 - rate))?;
        let mixed = match self.state.get(&key) {
            Some(old) => ((old * rate)? + fresh)?,
            None => fresh,
        };
        self.state.insert(key, mixed.clone());
        Ok(mixed)
    }

    fn muon(&mut self, name: &str, weight: &Tensor, gradient: &Tensor, scale: f64) -> Result<Tensor> {
        let beta = self.rates.momentum;
        let average = self.average(format!("first.{name}"), gradient, beta)?;
        let ahead = ((gradient * (1.0 - beta))? + (average * beta)?)?;
        let (rows, columns) = ahead.dims2()?;
        let step = orthogonalise(&ahead)?;
        let rate = self.rates.muon * scale;
        let reach = rate * (rows as f64 / columns as f64).max(1.0).sqrt();
        Ok(((weight * (1.0 - rate * self.rates.decay))? - (step * reach)?)?)
    }

    fn adam(&mut self, name: &str, weight: &Tensor, gradient: &Tensor, scale: f64) -> Result<Tensor> {
        let (b1, b2) = self.rates.betas;
        let first = self.average(format!("first.{name}"), gradient, b1)?;
        let second = self.average(format!("second.{name}"), &gradient.sqr()?, b2)?;
        let t = self.step as f64;
        let first = (first / (1.0 - b1.powf(t)))?;
        let second = (second / (1.0 - b2.powf(t)))?;
        let step = (first / (second.sqrt()? + 1e-8)?)?;
        Ok((weight - (step * (self.rates.adam * scale))?)?)
    }
}

/// X <- a X + (b A + c A A) X with A = X X^T, five times from X / |X|: all singular values near one.
pub fn orthogonalise(matrix: &Tensor) -> Result<Tensor> {
    const A: f64 = 3.4445;
    const B: f64 = -4.7750;
    const C: f64 = 2.0315;
    let (rows, columns) = matrix.dims2()?;
    let turned = rows > columns;
    let start = if turned { matrix.t()?.contiguous()? } else { matrix.clone() };
    let norm = f64::from(start.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt();
    let mut x = (start / (norm + 1e-7))?;
    for _ in 0..5 {
        let a = x.matmul(&x.t()?)?;
        let b = ((&a * B)? + (a.matmul(&a)? * C)?)?;
        x = ((&x * A)? + b.matmul(&x)?)?;
    }
    Ok(if turned { x.t()?.contiguous()? } else { x })
}
