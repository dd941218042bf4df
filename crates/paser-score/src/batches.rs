//! Length-sorted batches under a token budget. Owns the one rule that decides which samples share a forward pass, so
//! that the composition (and with it the last bits of a score) depends on the samples alone, never on threads.

/// Samples that go through the models together, laid end to end without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Positions in the list of lengths given to [`plan`], longest first.
    pub members: Vec<usize>,
    /// Tokens of all members.
    pub tokens: usize,
}

/// Cuts samples into batches of at most `tokens_per_batch` tokens. A sample longer than the budget gets a batch of its
/// own. `lengths` is in content-hash order: samples of equal length keep that order. The longest samples come first,
/// so that too little memory shows at once and an estimate of the time left errs on the safe side.
pub fn plan(lengths: &[usize], tokens_per_batch: usize) -> Vec<Batch> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(lengths[index]), index));
    let mut batches: Vec<Batch> = Vec::new();
    for index in order {
        match batches.last_mut() {
            Some(batch) if batch.tokens + lengths[index] <= tokens_per_batch => {
                batch.members.push(index);
                batch.tokens += lengths[index];
            }
            _ => batches.push(Batch { members: vec![index], tokens: lengths[index] }),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_lengths_keep_their_order_and_the_longest_come_first() {
        let batches = plan(&[3, 7, 3, 7, 1], 14);
        assert_eq!(batches[0], Batch { members: vec![1, 3], tokens: 14 });
        assert_eq!(batches[1], Batch { members: vec![0, 2, 4], tokens: 7 });
    }

    #[test]
    fn a_sample_over_the_budget_stands_alone() {
        assert_eq!(plan(&[100, 2], 10).len(), 2);
        assert!(plan(&[], 10).is_empty());
    }

    proptest! {
        #[test]
        fn every_sample_once_and_no_batch_over_budget(lengths in prop::collection::vec(1usize..600, 0..200), budget in 1usize..4096) {
            let batches = plan(&lengths, budget);
            let mut seen: Vec<usize> = batches.iter().flat_map(|batch| batch.members.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &batches {
                prop_assert_eq!(batch.tokens, batch.members.iter().map(|&index| lengths[index]).sum::<usize>());
                prop_assert!(batch.members.len() == 1 || batch.tokens <= budget);
            }
        }
    }
}
