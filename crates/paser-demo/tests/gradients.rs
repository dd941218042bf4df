//! The trainer's gradients reach every weight and agree with finite differences.
#![allow(clippy::unwrap_used)]

mod oracle;

use candle_core::{Device, Tensor, Var};
use oracle::{Batch, loss};
use paser_demo::model::{Shape, Weights, initial_weights};
use paser_demo::tokens::Sequenced;
use paser_demo::train::gradients::gradients;
use paser_demo::train::optimizer::{Optimizer, Rates, orthogonalise};

fn tiny() -> Shape {
    Shape {
        vocab_size: 24,
        hidden_size: 16,
        intermediate_size: 20,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 4,
        max_position_embeddings: 16,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
    }
}

fn samples() -> Vec<Sequenced> {
    [
        (vec![1, 5, 9, 3, 7, 8, 2], 4),
        (vec![1, 6, 3, 12, 2], 3),
        (vec![1, 20, 21, 22, 10, 3, 11, 2], 6),
        (vec![1, 4, 3, 13, 14, 15, 2], 3),
    ]
    .into_iter()
    .map(|(ids, prompt)| Sequenced { ids, prompt })
    .collect()
}

/// Larger embeddings than the first weights have, so that differences stand above f32 rounding.
fn weights(shape: &Shape) -> Weights {
    let mut weights = initial_weights(shape, 3).unwrap();
    let embedding = weights["model.embed_tokens.weight"].affine(20.0, 0.0).unwrap();
    weights.insert("model.embed_tokens.weight".to_owned(), embedding);
    weights
}

fn loss_of(shape: &Shape, weights: &Weights, samples: &[Sequenced]) -> f64 {
    let rows: Vec<&Sequenced> = samples.iter().collect();
    let tokens = samples.iter().map(|s| s.ids.len() - s.prompt).sum();
    let loss = loss(shape, weights, &Batch::new(&rows).unwrap(), tokens).unwrap();
    f64::from(loss.to_scalar::<f32>().unwrap())
}

#[test]
fn every_weight_gets_a_gradient() {
    let shape = tiny();
    let found = gradients(&shape, &weights(&shape), &samples(), 2).unwrap();
    assert_eq!(found.by_name.len(), shape.weights().len());
    for (name, gradient) in &found.by_name {
        let size: f32 = gradient.abs().unwrap().sum_all().unwrap().to_scalar().unwrap();
        assert!(size > 1e-4, "{name} has no gradient");
    }
}

#[test]
fn gradients_agree_with_candle() {
    let shape = tiny();
    let weights = weights(&shape);
    let samples = samples();
    let variables: Weights =
        weights.iter().map(|(name, t)| (name.clone(), Var::from_tensor(t).unwrap().as_tensor().clone())).collect();
    let rows: Vec<&Sequenced> = samples.iter().collect();
    let tokens = samples.iter().map(|s| s.ids.len() - s.prompt).sum();
    let graph = loss(&shape, &variables, &Batch::new(&rows).unwrap(), tokens).unwrap();
    let store = graph.backward().unwrap();
    let found = gradients(&shape, &weights, &samples, 1).unwrap();
    assert!((found.loss - f64::from(graph.to_scalar::<f32>().unwrap())).abs() < 1e-5);
    for (name, variable) in &variables {
        let recorded = store.get(variable).unwrap_or_else(|| panic!("candle cuts {name}"));
        let apart = (recorded - &found.by_name[name]).unwrap().abs().unwrap();
        let apart: f32 = apart.flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap();
        assert!(apart < 1e-5, "{name} differs by {apart}");
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let shape = tiny();
    let weights = weights(&shape);
    let samples = samples();
    let found = gradients(&shape, &weights, &samples, 1).unwrap();
    for (name, tensor) in &weights {
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        let gradient: Vec<f32> = found.by_name[name].flatten_all().unwrap().to_vec1().unwrap();
        // Along the gradient itself the loss changes most: one directional check covers a whole tensor.
        let norm = gradient.iter().map(|g| f64::from(g * g)).sum::<f64>().sqrt();
        let reach = 2e-2 / norm.max(0.2);
        let moved = |sign: f64| {
            let shifted: Vec<f32> = values
                .iter()
                .zip(&gradient)
                .map(|(v, g)| (f64::from(*v) + sign * reach * f64::from(*g)) as f32)
                .collect();
            let mut weights = weights.clone();
            weights.insert(name.clone(), Tensor::from_vec(shifted, tensor.dims(), &Device::Cpu).unwrap());
            loss_of(&shape, &weights, &samples)
        };
        let measured = (moved(1.0) - moved(-1.0)) / (2.0 * reach);
        let expected = norm * norm;
        assert!(
            (measured - expected).abs() < 0.03 * expected + 2e-5,
            "{name}: {measured} measured, {expected} by the gradient"
        );
    }
}

#[test]
fn two_threads_give_the_gradient_of_one() {
    let shape = tiny();
    let weights = weights(&shape);
    let one = gradients(&shape, &weights, &samples(), 1).unwrap();
    let two = gradients(&shape, &weights, &samples(), 2).unwrap();
    assert!((one.loss - two.loss).abs() < 1e-5);
    for (name, gradient) in &one.by_name {
        let apart = (gradient - &two.by_name[name]).unwrap().abs().unwrap();
        let apart: f32 = apart.flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap();
        assert!(apart < 1e-5, "{name} differs by {apart}");
    }
}

#[test]
fn padding_and_order_change_nothing() {
    let shape = tiny();
    let weights = weights(&shape);
    let together = loss_of(&shape, &weights, &samples());
    let total: usize = samples().iter().map(|s| s.ids.len() - s.prompt).sum();
    let apart: f64 = samples()
        .iter()
        .map(|s| {
            let own = std::slice::from_ref(s);
            loss_of(&shape, &weights, own) * (s.ids.len() - s.prompt) as f64 / total as f64
        })
        .sum();
    assert!((together - apart).abs() < 1e-5, "{together} and {apart}");
}

#[test]
fn a_few_steps_learn_four_samples_by_heart() {
    let shape = tiny();
    let mut weights = weights(&shape);
    let mut optimizer = Optimizer::new(Rates::default());
    assert!(loss_of(&shape, &weights, &samples()) > 1.0);
    for _ in 0..150 {
        let found = gradients(&shape, &weights, &samples(), 1).unwrap();
        optimizer.update(&mut weights, &found.by_name, 1.0).unwrap();
    }
    // Less than ln 2 over all 11 answer tokens: each is the likeliest one.
    assert!(loss_of(&shape, &weights, &samples()) < 2f64.ln() / 11.0);
}

#[test]
fn newton_schulz_brings_singular_values_near_one() {
    let values: Vec<f32> = (0..12).map(|i| ((i * 7 % 11) as f32 - 5.0) / 3.0).collect();
    let tall = Tensor::from_vec(values, (4, 3), &Device::Cpu).unwrap();
    let near = orthogonalise(&tall).unwrap();
    let product: Vec<Vec<f32>> = near.t().unwrap().matmul(&near).unwrap().to_vec2().unwrap();
    for (i, row) in product.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            let wanted = if i == j { 1.0 } else { 0.0 };
            assert!((value - wanted).abs() < 0.5, "{product:?}");
        }
    }
}
