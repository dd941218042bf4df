//! The learning rate of a step: a linear rise, then a fall to 0.

use std::f64::consts::PI;

use paser_protocol::Decay;

/// How the rate goes over a run of `steps`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// At its height.
    pub rate: f64,
    /// Steps of the rise.
    pub warmup: u32,
    pub steps: u32,
    pub decay: Decay,
}

impl Schedule {
    /// Never more warm-up than a tenth of the run.
    pub fn new(rate: f64, warmup: u32, steps: u32, decay: Decay) -> Self {
        Self { rate, warmup: warmup.min(steps / 10), steps, decay }
    }

    /// The rate of step `step`, counted from 0, as transformers' schedulers have it: (step + 1) / warmup while it rises.
    pub fn at(&self, step: u32) -> f64 {
        if step < self.warmup {
            return self.rate * f64::from(step + 1) / f64::from(self.warmup);
        }
        let left = self.steps.saturating_sub(self.warmup).max(1);
        let done = f64::from(step - self.warmup) / f64::from(left);
        self.rate
            * match self.decay {
                Decay::Constant => 1.0,
                Decay::Linear => (1.0 - done).max(0.0),
                Decay::Cosine => 0.5 * (1.0 + (PI * done.min(1.0)).cos()),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_fall_and_never_warm_up_for_more_than_a_tenth() {
        let linear = Schedule::new(2.0, 100, 50, Decay::Linear);
        assert_eq!(linear.warmup, 5);
        assert!((linear.at(0) - 0.4).abs() < 1e-12 && (linear.at(4) - 2.0).abs() < 1e-12);
        assert!((linear.at(5) - 2.0).abs() < 1e-12 && (linear.at(49) - 2.0 / 45.0).abs() < 1e-12);
        let cosine = Schedule::new(1.0, 0, 10, Decay::Cosine);
        assert!((cosine.at(5) - 0.5).abs() < 1e-12 && cosine.at(0) == 1.0);
        assert_eq!(Schedule::new(1.0, 3, 9, Decay::Constant).at(8), 1.0);
    }
}
