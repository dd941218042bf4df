//! Rotary position embedding: the first half of a head's values is paired with the second half (the layout of all
//! families here), and pair i of position p turns by p * frequency_i.

use std::f64::consts::PI;

use crate::spec::{Rope, RopeScaling};

/// Cosines and sines of positions 0 to `positions - 1`, [positions, head_dim / 2] each.
#[derive(Debug)]
pub(crate) struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    pub(crate) fn new(rope: &Rope, head_dim: usize, positions: usize) -> Self {
        let frequencies = frequencies(rope, head_dim);
        let half = frequencies.len();
        let mut table =
            Self { half, cos: Vec::with_capacity(half * positions), sin: Vec::with_capacity(half * positions) };
        for position in 0..positions {
            for &frequency in &frequencies {
                // The angle is rounded to f32 where the reference rounds it; at position 4096 that is 1e-4 of a turn.
                let (sin, cos) = f64::from(position as f32 * frequency).sin_cos();
                table.cos.push(cos as f32);
                table.sin.push(sin as f32);
            }
        }
        table
    }

    /// Turns one head's values (`head_dim` of them) to a position.
    #[inline(always)]
    pub(crate) fn turn(&self, head: &mut [f32], position: usize) {
        let cos = &self.cos[position * self.half..][..self.half];
        let sin = &self.sin[position * self.half..][..self.half];
        let (first, second) = head.split_at_mut(self.half);
        for (((a, b), &cos), &sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}

impl RopeTable {
    /// Turns a head's values back from a position: the gradient of [`Self::turn`].
    #[inline(always)]
    pub(crate) fn turn_back(&self, head: &mut [f32], position: usize) {
        let cos = &self.cos[position * self.half..][..self.half];
        let sin = &self.sin[position * self.half..][..self.half];
        let (first, second) = head.split_at_mut(self.half);
        for (((a, b), &cos), &sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos + *b * sin, *b * cos - *a * sin);
        }
    }
}

/// Angle per position of each pair: base^(-2i / head_dim), scaled.
fn frequencies(rope: &Rope, head_dim: usize) -> Vec<f32> {
    (0..head_dim / 2)
        .map(|pair| {
            let plain = rope.base.powf(-((2 * pair) as f64) / head_dim as f64) as f32;
            match rope.scaling {
                RopeScaling::Default => plain,
                RopeScaling::Linear { factor } => (f64::from(plain) / factor) as f32,
                RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                    llama3(f64::from(plain), factor, low_freq_factor, high_freq_factor, original_context as f64) as f32
                }
            }
        })
        .collect()
}

/// Wavelengths above context / low are divided by `factor`, those below context / high are kept, between them
/// the two are mixed by s = (context / wavelength - low) / (high - low).
fn llama3(frequency: f64, factor: f64, low: f64, high: f64, context: f64) -> f64 {
    let wavelength = 2.0 * PI / frequency;
    if wavelength > context / low {
        frequency / factor
    } else if wavelength < context / high {
        frequency
    } else {
        let smooth = (context / wavelength - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}
