//! The reverse pass of every kind of block against central differences of a forward pass in f64 that is written from the
//! definitions alone.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use paser_model::{
    Adapter, Checkpoint, LayerSpec, LowRank, ModelSpec, Projection, projection_name,
    train::{Dropout, Example, Slot, Trainee},
};

/// A model in f64: tensors by name, additions by slot.
struct Plain<'a> {
    spec: &'a ModelSpec,
    tensors: BTreeMap<String, Vec<f64>>,
    additions: BTreeMap<Slot, Vec<f64>>,
    rank: usize,
    scale: f64,
}

type Rows = Vec<Vec<f64>>;

impl Plain<'_> {
    fn tensor(&self, name: &str) -> &[f64] {
        self.tensors.get(name).unwrap_or_else(|| panic!("{name}"))
    }

    fn linear(&self, x: &Rows, layer: usize, projection: Projection) -> Rows {
        let weight = self.tensor(&projection_name(layer, projection));
        let inputs = x[0].len();
        let outputs = weight.len() / inputs;
        let bias = self.tensors.get(&Slot::Bias(layer, projection).name());
        let addition =
            self.additions.get(&Slot::A(layer, projection)).zip(self.additions.get(&Slot::B(layer, projection)));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        x.iter()
            .map(|x| {
                let inner: Vec<f64> =
                    addition.map_or(Vec::new(), |(a, _)| a.chunks(inputs).map(|row| dot(row, x)).collect());
                (0..outputs)
                    .map(|at| {
                        let own = dot(&weight[at * inputs..][..inputs], x) + bias.map_or(0.0, |bias| bias[at]);
                        own + addition.map_or(0.0, |(_, b)| self.scale * dot(&b[at * self.rank..][..self.rank], &inner))
                    })
                    .collect()
            })
            .collect()
    }

    fn norm(&self, x: &[f64], weight: &[f64]) -> Vec<f64> {
        let square = x.iter().map(|value| value * value).sum::<f64>() / x.len() as f64;
        let scale = 1.0 / (square + self.spec.norm_eps).sqrt();
        x.iter().zip(weight).map(|(value, weight)| value * scale * weight).collect()
    }

    /// Pair i of position p turned by p / base^(2i / width).
    fn turn(&self, head: &mut [f64], position: usize) {
        let half = head.len() / 2;
        for pair in 0..half {
            let frequency = self.spec.rope.base.powf(-((2 * pair) as f64) / (2 * half) as f64);
            let angle = position as f64 * frequency;
            let (a, b) = (head[pair], head[pair + half]);
            (head[pair], head[pair + half]) = (a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin());
        }
    }

    fn attention(&self, layer: usize, of: &LayerSpec, x: &Rows) -> Rows {
        let width = of.head_dim;
        let place = |rows: Rows, name: Option<&str>| -> Rows {
            rows.into_iter()
                .enumerate()
                .map(|(position, row)| {
                    let heads = row.chunks(width).map(|head| {
                        let mut head = match name.filter(|_| of.qk_norm) {
                            Some(name) => self.norm(head, self.tensor(name)),
                            None => head.to_vec(),
                        };
                        if name.is_some() {
                            self.turn(&mut head, position);
                        }
                        head
                    });
                    heads.flatten().collect()
                })
                .collect()
        };
        let (query, key) = (Slot::QueryNorm(layer).name(), Slot::KeyNorm(layer).name());
        let q = place(self.linear(x, layer, Projection::Q), Some(&query));
        let k = place(self.linear(x, layer, Projection::K), Some(&key));
        let v = place(self.linear(x, layer, Projection::V), None);
        (0..x.len())
            .map(|i| {
                let mut out = Vec::new();
                for head in 0..of.heads {
                    let shared = head * of.kv_heads / of.heads;
                    let first = of.window.map_or(0, |window| (i + 1).saturating_sub(window));
                    let weights: Vec<f64> = (first..=i)
                        .map(|j| {
                            let dot: f64 =
                                (0..width).map(|at| q[i][head * width + at] * k[j][shared * width + at]).sum();
                            (dot / (width as f64).sqrt()).exp()
                        })
                        .collect();
                    let total: f64 = weights.iter().sum();
                    for at in 0..width {
                        let sum: f64 =
                            weights.iter().zip(first..=i).map(|(weight, j)| weight * v[j][shared * width + at]).sum();
                        out.push(sum / total);
                    }
                }
                out
            })
            .collect()
    }

    /// Sum of the losses of a sample's counted tokens.
    fn loss(&self, ids: &[u32], counted: &[bool]) -> f64 {
        let hidden = self.spec.hidden;
        let embedding = self.tensor(&Slot::Embedding.name());
        let mut x: Rows = ids.iter().map(|id| embedding[*id as usize * hidden..][..hidden].to_vec()).collect();
        let add = |x: &mut Rows, more: Rows| {
            for (x, more) in x.iter_mut().zip(more) {
                for (x, more) in x.iter_mut().zip(more) {
                    *x += more;
                }
            }
        };
        for (layer, of) in self.spec.layers.iter().enumerate() {
            let normed = |x: &Rows, slot: Slot| -> Rows {
                let weight = self.tensor(&slot.name()).to_vec();
                x.iter().map(|row| self.norm(row, &weight)).collect()
            };
            let heads = self.attention(layer, of, &normed(&x, Slot::InputNorm(layer)));
            add(&mut x, self.linear(&heads, layer, Projection::O));
            let inner = normed(&x, Slot::FeedNorm(layer));
            let (gate, up) = (self.linear(&inner, layer, Projection::Gate), self.linear(&inner, layer, Projection::Up));
            let active: Rows = gate
                .iter()
                .zip(&up)
                .map(|(gate, up)| gate.iter().zip(up).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect())
                .collect();
            add(&mut x, self.linear(&active, layer, Projection::Down));
        }
        let head = self.tensor(&(if self.spec.tied { Slot::Embedding } else { Slot::Head }).name());
        let last = self.tensor(&Slot::FinalNorm.name());
        (1..ids.len())
            .filter(|&at| counted[at])
            .map(|at| {
                let row = self.norm(&x[at - 1], last);
                let logits: Vec<f64> =
                    head.chunks(hidden).map(|weight| weight.iter().zip(&row).map(|(w, r)| w * r).sum()).collect();
                let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = logits.iter().map(|logit| (logit - max).exp()).sum();
                sum.ln() + max - logits[ids[at] as usize]
            })
            .sum()
    }
}

/// A number between -1 and 1 that depends on nothing but its place.
fn drawn(place: usize) -> f64 {
    let mut x = place as u64 ^ 0x5851_f42d_4c95_7f2d;
    for _ in 0..3 {
        x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (x >> 29);
    }
    (x >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn samples(vocab: usize) -> Vec<(Vec<u32>, Vec<bool>)> {
    [(11, 4), (17, 9), (6, 1)]
        .into_iter()
        .enumerate()
        .map(|(number, (length, prompt))| {
            let ids = (0..length).map(|at| ((number * 131 + at * 37 + 5) % vocab) as u32).collect();
            (ids, (0..length).map(|at| at >= prompt).collect())
        })
        .collect()
}

/// Compares some entries of every trained tensor.
fn check(name: &str, trainee: &Trainee, plain: &mut Plain<'_>) {
    let samples = samples(trainee.spec().vocab);
    let batch: Vec<Example<'_>> = samples
        .iter()
        .enumerate()
        .map(|(sample, (ids, counted))| Example { sample: sample as u64, ids, counted })
        .collect();
    let found = trainee.gradients(&batch, None, &|| false).unwrap();
    let mean = |plain: &Plain<'_>| {
        samples.iter().map(|(ids, counted)| plain.loss(ids, counted)).sum::<f64>() / found.targets as f64
    };
    let loss = mean(plain);
    assert!((found.loss - loss).abs() < 1e-5, "{name}: loss {} {loss}", found.loss);
    let largest = found.values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (slot, range) in trainee.layout().parts() {
        let gradients = &found.values[range.clone()];
        assert!(gradients.iter().any(|value| *value != 0.0), "{name}: {} gets no gradient", slot.name());
        let norm =
            (gradients.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / gradients.len() as f64).sqrt();
        for pick in 0..6 {
            let at = ((drawn(range.start + pick) + 1.0) * 0.5 * gradients.len() as f64) as usize;
            let step = 1e-5;
            let mut moved = |by: f64| {
                let value = match slot {
                    Slot::A(..) | Slot::B(..) => &mut plain.additions.get_mut(&slot).unwrap()[at],
                    _ => &mut plain.tensors.get_mut(&slot.name()).unwrap()[at],
                };
                *value += by;
                mean(plain)
            };
            let (high, low) = (moved(step), moved(-2.0 * step));
            moved(step);
            let expected = (high - low) / (2.0 * step);
            let off = (f64::from(gradients[at]) - expected).abs();
            let bound = 2e-3 * expected.abs() + 2e-3 * norm + 1e-6 * f64::from(largest);
            assert!(off < bound, "{name}: {} at {at}: {} {expected}", slot.name(), gradients[at]);
        }
    }
}

/// Families with their peculiarities: plain heads, shared keys and values, biases, norms of heads, a window.
const FAMILIES: [&str; 5] =
    ["llama-mha-untied", "llama-gqa-tied", "qwen2-bias-tied", "qwen3-qknorm", "mistral-sliding"];

fn each_family(check: impl Fn(&str, &Checkpoint, Plain<'_>)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/hf-logits");
    if !folder.exists() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    for name in FAMILIES {
        let checkpoint = Checkpoint::open(&folder.join(name)).unwrap();
        let names: Vec<String> = checkpoint.tensor_names().map(str::to_owned).collect();
        let tensors = names.into_iter().map(|name| {
            let values = checkpoint.values(&name).unwrap().into_iter().map(f64::from).collect();
            (name, values)
        });
        let spec = checkpoint.spec().clone();
        let plain = Plain { spec: &spec, tensors: tensors.collect(), additions: BTreeMap::new(), rank: 0, scale: 0.0 };
        check(name, &checkpoint, plain);
    }
}

fn adapter(spec: &ModelSpec) -> Adapter {
    let rank = 3;
    let mut parts = BTreeMap::new();
    for (layer, of) in spec.layers.iter().enumerate() {
        for projection in Projection::ALL {
            let (outputs, inputs) = of.shape(projection, spec.hidden);
            let values = |count: usize, salt: usize, scale: f64| -> Vec<f32> {
                (0..count)
                    .map(|at| (scale * drawn(at + salt * 100_003 + layer * 7919 + projection as usize * 31)) as f32)
                    .collect()
            };
            parts.insert(
                (layer, projection),
                LowRank { a: values(rank * inputs, 1, 0.2), b: values(outputs * rank, 2, 0.1) },
            );
        }
    }
    Adapter { rank, alpha: 4.5, dropout: 0.0, parts }
}

#[test]
fn gradients_of_low_rank_additions_are_those_of_differences() {
    each_family(|name, checkpoint, mut plain| {
        let adapter = adapter(checkpoint.spec());
        for (&(layer, projection), part) in &adapter.parts {
            let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
            plain.additions.insert(Slot::A(layer, projection), wide(&part.a));
            plain.additions.insert(Slot::B(layer, projection), wide(&part.b));
        }
        (plain.rank, plain.scale) = (adapter.rank, adapter.alpha / adapter.rank as f64);
        for memory in [u64::MAX, 0] {
            let trainee = Trainee::low_rank(checkpoint, &adapter).unwrap().within(memory, 1);
            check(name, &trainee, &mut plain);
        }
    });
}

#[test]
fn gradients_of_the_models_own_weights_are_those_of_differences() {
    each_family(|name, checkpoint, mut plain| {
        for last_layers in [None, Some(1)] {
            let trainee = Trainee::weights(checkpoint, last_layers).unwrap();
            check(name, &trainee, &mut plain);
        }
    });
}

#[test]
fn gradients_do_not_depend_on_threads_or_on_what_is_computed_twice() {
    each_family(|_, checkpoint, _| {
        let adapter = adapter(checkpoint.spec());
        let samples = samples(checkpoint.spec().vocab);
        // Enough for several packs.
        let batch: Vec<Example<'_>> = (0..120)
            .map(|at| {
                let (ids, counted) = &samples[at % samples.len()];
                Example { sample: at as u64, ids, counted }
            })
            .collect();
        let dropout = Some(Dropout { share: 0.1, seed: 5, step: 9 });
        let gradients = |threads: usize, memory: u64| {
            let trainee = Trainee::low_rank(checkpoint, &adapter).unwrap().within(memory, threads);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| trainee.gradients(&batch, dropout, &|| false).unwrap())
        };
        let one = gradients(1, u64::MAX);
        for (threads, memory) in [(2, u64::MAX), (3, u64::MAX), (2, 0)] {
            let other = gradients(threads, memory);
            assert!(one.loss.to_bits() == other.loss.to_bits(), "{threads} threads, {memory} bytes");
            let same = one.values.iter().zip(&other.values).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{threads} threads, {memory} bytes");
        }
    });
}
