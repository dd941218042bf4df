//! What the short words of tables, ledger and inspector mean: one sentence each, for the pointer that rests on them. A
//! word may mean something else in another place.

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Heads of the table's columns, by the column's name.
    Table,
    /// Numbers of the inspected sample.
    Sample,
    /// Numbers of what is brushed.
    Brush,
    /// Heads of the ledger.
    Ledger,
    /// Steps from raw quotas to what is taken.
    Waterfall,
}

const JSD: &str = "Damage: how far the pruned model's next-token distribution lies from the dense one's (Jensen-Shannon divergence), mean over the response tokens, in nats; at most 0.693.";
const IES: &str =
    "Efficiency: damage divided by the logarithm of the squared number of tokens. paser takes the highest first.";
const LOSS_DENSE: &str = "Mean loss of the dense model on the response tokens, in nats. A high one means that the answer surprises even the dense model.";
const LOSS_PRUNED: &str = "Mean loss of the pruned model on the response tokens, in nats.";
const TOP1: &str = "Share of response tokens where both models find the same token most likely.";
const RAW_QUOTA: &str = "Pins and the share of the budget by the strategy's weights, before any cap.";

/// The meaning of a word; none where the word says it all.
pub fn meaning(place: Place, word: &str) -> Option<&'static str> {
    use Place::{Brush, Ledger, Sample, Table, Waterfall};
    Some(match (place, word) {
        (Table | Sample, "jsd") => JSD,
        (Table | Sample, "ies") => IES,
        (Table, "loss_dense") | (Sample, "loss dense") => LOSS_DENSE,
        (Table, "loss_pruned") | (Sample, "loss pruned") => LOSS_PRUNED,
        (Table, "top1_agreement") | (Sample, "top-1 same") => TOP1,
        (Table, "response_tokens") => "What is scored, and what is trained on.",
        (Sample, "tokens") => "Of the prompt with its template, and of the response.",
        (Brush, "tokens") => "Tokens of all responses.",
        (Brush, "damage") => "Mean damage (JSD) of the scored samples.",
        (Brush, "interval") => "95 % interval of the mean damage, by Student's t over the scored samples.",
        (Brush, "after first") => "Mean damage without each response's first token.",
        (Brush, "taken") => "In the selection being built, pins and refilled ones included.",
        (Ledger, "damage, nats") => "Mean damage (JSD) of the cluster's scored samples.",
        (Ledger, "raw quota") | (Waterfall, "raw quota") => RAW_QUOTA,
        (Ledger, "cap") => "What the cluster could give at most: its eligible samples and its pins.",
        (Brush | Ledger, "quota") => "The share after caps: what one cluster cannot hold goes to the others.",
        (Ledger, "pinned") => "Pinned by hand: always in the selection.",
        (Ledger, "taken") => "Taken in the strategy's own order, before anything is refilled.",
        (Ledger | Waterfall, "refilled") => {
            "Taken where consistent samples ran out: those with the fewest concept conflicts first."
        }
        (Ledger, "short") => "Quota that stays empty.",
        (Ledger, "rejected") => {
            "Turned away by the concept graph: two known concepts that no sample taken before holds together. Later refilled ones are counted here, too."
        }
        (Ledger, "excluded") => "Excluded by hand: never in the selection.",
        (Ledger, "guarded") => "Set aside by the noise guard: the dense model's loss lies above the cluster's fence.",
        (Ledger, "unscorable") => "Without a score: the prompt leaves no room for a response token.",
        (Ledger, "ruled out") => {
            "Left out by the strategy's own rule: an instruction-following difficulty of 1 or more (ifd, superfiltering), or too long to be measured by it."
        }
        (Waterfall, "over cluster size") => "Raw quota beyond what a cluster can give.",
        (Waterfall, "given to other clusters") => "What clusters with room got of it.",
        (Waterfall, "lost to concept conflicts") => "Quota for which no consistent sample was left, before refilling.",
        (Waterfall, "next sample too long") => "Tokens that stay empty because the next sample would not fit.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{budget_math::Waterfall, views::ledger};

    #[test]
    fn every_step_of_the_waterfall_is_explained() {
        let fall = Waterfall { raw: Some(9), over: 1, given: 1, conflicts: 1, too_long: 1, refilled: 1, taken: 8 };
        for (word, _) in fall.steps() {
            assert!(meaning(Place::Waterfall, word).is_some(), "{word}");
        }
    }

    #[test]
    fn every_head_of_the_ledger_is_explained() {
        for word in ledger::HEADS.into_iter().filter(|word| *word != "samples") {
            assert!(meaning(Place::Ledger, word).is_some(), "{word}");
        }
    }
}
