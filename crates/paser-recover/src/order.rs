//! Which samples each step draws. Everything follows from the seed and the number of the step, so that a run that was
//! stopped goes on with the very samples it would have drawn.

use paser_protocol::Equal;
use rand::{SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;

/// What an arm has as much of as the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    Steps(u32),
    Epochs(f64),
    ResponseTokens(u64),
}

impl Amount {
    /// The amount that the settings name.
    pub fn of(equal: Equal, steps: u32, epochs: f64, response_tokens: u64) -> Self {
        match equal {
            Equal::Steps => Self::Steps(steps),
            Equal::Epochs => Self::Epochs(epochs),
            Equal::ResponseTokens => Self::ResponseTokens(response_tokens),
        }
    }
}

/// The samples of every step, as places in the list of samples: each epoch in an order of its own. Batches go on over the
/// end of an epoch, so that all have the same size, but for the last one where epochs are counted.
///
/// `response_tokens` of each sample; at least one sample, `batch` at least 1.
pub fn order(seed: u64, response_tokens: &[u32], batch: usize, amount: Amount) -> Vec<Vec<u32>> {
    let count = response_tokens.len();
    let mut drawn: Vec<u32> = Vec::new();
    let mut epoch = 0;
    let more = |drawn: &mut Vec<u32>, epoch: &mut u64| {
        let mut places: Vec<u32> = (0..count as u32).collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(*epoch);
        places.shuffle(&mut random);
        drawn.extend(places);
        *epoch += 1;
    };
    let samples = match amount {
        Amount::Steps(steps) => steps as usize * batch,
        Amount::Epochs(epochs) => ((epochs * count as f64).round() as usize).max(1),
        Amount::ResponseTokens(tokens) => {
            let (mut sum, mut samples) = (0, 0);
            while sum < tokens {
                if samples == drawn.len() {
                    more(&mut drawn, &mut epoch);
                }
                // A sample without a response would never fill the amount.
                sum += u64::from(response_tokens[drawn[samples] as usize].max(1));
                samples += 1;
            }
            samples.div_ceil(batch) * batch
        }
    };
    while drawn.len() < samples {
        more(&mut drawn, &mut epoch);
    }
    drawn.truncate(samples);
    drawn.chunks(batch).map(<[u32]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_holds_every_sample_once_in_an_order_of_its_own() {
        let steps = order(7, &[3; 10], 4, Amount::Steps(5));
        assert!(steps.len() == 5 && steps.iter().all(|step| step.len() == 4));
        let drawn = steps.concat();
        for epoch in drawn.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<u32>>());
        }
        assert_ne!(drawn[..10], drawn[10..]);
        assert_eq!(
            order(7, &[3; 10], 4, Amount::Steps(3)),
            steps[..3],
            "a shorter run is the beginning of a longer one"
        );
        assert_ne!(order(8, &[3; 10], 4, Amount::Steps(5)), steps);
    }

    #[test]
    fn epochs_and_response_tokens_end_where_they_should() {
        let epochs = order(0, &[3; 10], 4, Amount::Epochs(2.0));
        assert_eq!(epochs.concat().len(), 20);
        let tokens = order(0, &[3, 5, 1, 2], 2, Amount::ResponseTokens(20));
        let sum: u32 = tokens.concat().iter().map(|place| [3, 5, 1, 2][*place as usize]).sum();
        assert!((20..=30).contains(&sum), "{sum}");
        assert!(order(0, &[0], 3, Amount::ResponseTokens(2)).len() == 1);
    }
}
