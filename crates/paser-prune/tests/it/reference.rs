//! Wanda the slow way, written apart from the program: one sequence at a time, plain loops, f64.

use crate::tiny::{EPS, FFN, HEADS, HIDDEN, KV_HEADS, LAYERS, PROJECTIONS, ROPE_BASE, Tensors, WIDTH, weight};

type Matrix = Vec<Vec<f64>>;

fn matrix(tensors: &Tensors, name: &str) -> Matrix {
    let (shape, values) = &tensors[name];
    let columns = *shape.last().unwrap();
    values.chunks(columns).map(|row| row.iter().map(|&value| f64::from(value)).collect()).collect()
}

fn apply(weights: &Matrix, x: &[f64]) -> Vec<f64> {
    weights.iter().map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
}

fn norm(x: &[f64], weights: &[f64]) -> Vec<f64> {
    let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
    x.iter().zip(weights).map(|(v, w)| v / (mean + EPS).sqrt() * w).collect()
}

fn rotate(head: &[f64], position: usize) -> Vec<f64> {
    let half = WIDTH / 2;
    (0..WIDTH)
        .map(|i| {
            let angle = position as f64 / ROPE_BASE.powf(2.0 * (i % half) as f64 / WIDTH as f64);
            let partner = if i < half { -head[i + half] } else { head[i - half] };
            head[i] * angle.cos() + partner * angle.sin()
        })
        .collect()
}

/// Inputs of the seven projections (in the order of `PROJECTIONS`) and the layer's output, per token.
fn layer(tensors: &Tensors, number: usize, x: &Matrix) -> (Vec<Matrix>, Matrix) {
    let get = |module: &str| matrix(tensors, &weight(number, module));
    let vector = |module: &str| get(module).concat();
    let normed: Matrix = x.iter().map(|row| norm(row, &vector("input_layernorm"))).collect();
    let project =
        |module: &str, inputs: &Matrix| -> Matrix { inputs.iter().map(|row| apply(&get(module), row)).collect() };
    let (q, k, v) = (
        project("self_attn.q_proj", &normed),
        project("self_attn.k_proj", &normed),
        project("self_attn.v_proj", &normed),
    );
    let heads: Matrix = (0..x.len())
        .map(|i| {
            (0..HEADS)
                .flat_map(|h| {
                    let kv = h / (HEADS / KV_HEADS);
                    let query = rotate(&q[i][h * WIDTH..][..WIDTH], i);
                    let weights: Vec<f64> = (0..=i)
                        .map(|j| {
                            let key = rotate(&k[j][kv * WIDTH..][..WIDTH], j);
                            (query.iter().zip(&key).map(|(a, b)| a * b).sum::<f64>() / (WIDTH as f64).sqrt()).exp()
                        })
                        .collect();
                    let total: f64 = weights.iter().sum();
                    (0..WIDTH)
                        .map(|c| weights.iter().enumerate().map(|(j, w)| w * v[j][kv * WIDTH + c]).sum::<f64>() / total)
                        .collect::<Vec<_>>()
                })
                .collect()
        })
        .collect();
    let add = |a: &Matrix, b: &Matrix| -> Matrix {
        a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
    };
    let middle = add(x, &project("self_attn.o_proj", &heads));
    let feed: Matrix = middle.iter().map(|row| norm(row, &vector("post_attention_layernorm"))).collect();
    let (gate, up) = (project("mlp.gate_proj", &feed), project("mlp.up_proj", &feed));
    let active: Matrix =
        (0..x.len()).map(|t| (0..FFN).map(|c| gate[t][c] / (1.0 + (-gate[t][c]).exp()) * up[t][c]).collect()).collect();
    let out = add(&middle, &project("mlp.down_proj", &active));
    (vec![normed.clone(), normed.clone(), normed, heads, feed.clone(), feed, active], out)
}

/// Prunes in place; `gone(scores of a row)` says which columns of a row go.
pub fn wanda(tensors: &mut Tensors, sequences: &[Vec<u32>], gone: impl Fn(&[f64]) -> Vec<usize>) {
    let embedding = matrix(tensors, "model.embed_tokens.weight");
    let mut streams: Vec<Matrix> =
        sequences.iter().map(|ids| ids.iter().map(|&id| embedding[id as usize].clone()).collect()).collect();
    for number in 0..LAYERS {
        let inputs: Vec<Vec<Matrix>> = streams.iter().map(|x| layer(tensors, number, x).0).collect();
        for (place, (module, rows, columns)) in PROJECTIONS.into_iter().enumerate() {
            let norms: Vec<f64> = (0..columns)
                .map(|c| inputs.iter().flat_map(|sites| &sites[place]).map(|row| row[c] * row[c]).sum::<f64>().sqrt())
                .collect();
            let values = &mut tensors.get_mut(&weight(number, module)).unwrap().1;
            for row in 0..rows {
                let scores: Vec<f64> =
                    (0..columns).map(|c| f64::from(values[row * columns + c].abs()) * norms[c]).collect();
                for column in gone(&scores) {
                    values[row * columns + column] = 0.0;
                }
            }
        }
        streams = streams.iter().map(|x| layer(tensors, number, x).1).collect();
    }
    assert_eq!(streams[0][0].len(), HIDDEN);
}
