//! What the short words of tables, ledger and inspector mean: one sentence each, for the pointer that rests on them.

/// The meaning of a word; none where the word says it all.
pub fn meaning(word: &str) -> Option<&'static str> {
    Some(match word {
        "jsd" => {
            "Damage: how far the pruned model's next-token distribution lies from the dense one's (Jensen-Shannon divergence), mean over the response tokens, in nats; at most 0.693."
        }
        "ies" => {
            "Efficiency: damage divided by the logarithm of the squared number of tokens. Inside a cluster samples are taken in this order, highest first."
        }
        "loss_dense" | "loss dense" => {
            "Mean loss of the dense model on the response tokens, in nats. A high one means that the answer surprises even the dense model."
        }
        "loss_pruned" | "loss pruned" => "Mean loss of the pruned model on the response tokens, in nats.",
        "top1_agreement" | "top-1 same" => {
            "Share of response tokens where both models find the same token most likely."
        }
        "tokens" => "Tokens of the prompt and of the response.",
        "response_tokens" => "Tokens of the response: what is scored, and what is trained on.",
        "status" => "Taken or not in the selection being built, and why.",
        "damage, nats" | "damage" => "Mean damage (JSD) of the cluster's samples, in nats.",
        "after first" => "The same without each response's first token.",
        "interval" => "95 % interval of the mean damage, by Student's t over the scored samples.",
        "raw quota" => "The cluster's share of the budget by its damage, before any cap.",
        "cap" => "What the cluster could give at most: its eligible samples, pins included.",
        "quota" => "The share after caps; what one cluster cannot hold goes to the others. Quotas sum to the budget.",
        "pinned" => "Pinned by hand: always in the selection, and counted in the quota.",
        "taken" => "Taken by efficiency, with every known concept pair linked.",
        "refilled" => "Taken where consistent samples ran out: those with the fewest unlinked concept pairs.",
        "short" => "Quota that was left empty.",
        "rejected" => "Passed over because two of its concepts never stood together in a sample taken before.",
        "excluded" => "Excluded by hand: never in the selection.",
        "guarded" => "Set aside by the noise guard: the dense model's loss lies above the cluster's fence.",
        "unscorable" => "Without a score: the prompt leaves no room for a response token, or there is no response.",
        "over cluster size" => "Quota beyond what a cluster holds.",
        "given to other clusters" => "The same amount, shared among the clusters that have room.",
        "lost to concept conflicts" => "Quota left empty because no consistent sample was left.",
        "next sample too long" => "Tokens left empty because the next sample would not fit.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget_math::Waterfall;

    #[test]
    fn every_step_of_the_waterfall_is_explained() {
        let fall = Waterfall { raw: Some(9), over: 1, given: 1, conflicts: 1, too_long: 1, refilled: 1, taken: 8 };
        for (word, _) in fall.steps() {
            assert!(meaning(word).is_some(), "{word}");
        }
    }
}
