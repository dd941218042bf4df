//! Seeded choices for the generator: a ChaCha8 stream with the few helpers the tasks need.
//! The same seed gives the same samples on every machine.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A seeded stream of choices.
pub struct Draw {
    rng: ChaCha8Rng,
}

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// A whole number in `low..=high`.
    pub fn number(&mut self, low: u32, high: u32) -> u32 {
        self.rng.random_range(low..=high)
    }

    /// An index in `0..len`; `len` must be positive.
    pub fn index(&mut self, len: usize) -> usize {
        self.rng.random_range(0..len)
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    /// One entry of a non-empty list.
    pub fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.index(list.len())]
    }

    /// `count` different entries in random order (`count` at most the length of the list).
    pub fn several<'a>(&mut self, list: &[&'a str], count: usize) -> Vec<&'a str> {
        let mut order: Vec<usize> = (0..list.len()).collect();
        self.shuffle(&mut order);
        order.into_iter().take(count).map(|i| list[i]).collect()
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            let j = self.rng.random_range(0..=i);
            list.swap(i, j);
        }
    }

    /// The index of an entry, with probability proportional to its weight.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let total: f64 = weights.iter().sum();
        let mut at = self.rng.random::<f64>() * total;
        for (i, weight) in weights.iter().enumerate() {
            at -= weight;
            if at < 0.0 {
                return i;
            }
        }
        weights.len() - 1
    }
}
