//! AdamW with decoupled weight decay and bias correction (Loshchilov, Hutter 2019), as torch computes it: moments and
//! trained numbers are f32. What it reads and writes is one row of numbers.

/// Its fixed numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    pub betas: (f64, f64),
    pub eps: f64,
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0 }
    }
}

/// Moments after a number of steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    /// Steps taken.
    pub steps: u64,
}

impl Moments {
    pub fn new(len: usize) -> Self {
        Self { first: vec![0.0; len], second: vec![0.0; len], steps: 0 }
    }
}

impl AdamW {
    /// One step. `gradients` are multiplied by `factor` first (clipping).
    ///
    /// # Panics
    /// When the rows differ in length.
    pub fn step(&self, values: &mut [f32], gradients: &[f32], factor: f32, learning_rate: f64, moments: &mut Moments) {
        assert!(values.len() == gradients.len() && values.len() == moments.first.len(), "one layout for all");
        moments.steps += 1;
        let t = moments.steps as f64;
        let (b1, b2) = (self.betas.0 as f32, self.betas.1 as f32);
        let keep = (1.0 - learning_rate * self.weight_decay) as f32;
        let rate = (learning_rate / (1.0 - self.betas.0.powf(t))) as f32;
        let root = (1.0 - self.betas.1.powf(t)).sqrt() as f32;
        let eps = self.eps as f32;
        let rows = values.iter_mut().zip(gradients).zip(moments.first.iter_mut().zip(&mut moments.second));
        for ((value, gradient), (first, second)) in rows {
            let gradient = gradient * factor;
            *first += (gradient - *first) * (1.0 - b1);
            *second = *second * b2 + gradient * gradient * (1.0 - b2);
            *value = *value * keep - rate * *first / (second.sqrt() / root + eps);
        }
    }
}

/// Global L2 norm, summed in f64.
pub fn norm(gradients: &[f32]) -> f64 {
    gradients.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt()
}

/// What gradients of this norm are multiplied by so that it is at most `most`; torch's 1e-6 in the denominator.
pub fn clipping(norm: f64, most: f64) -> f32 {
    (most / (norm + 1e-6)).min(1.0) as f32
}
