//! Made-up texts: short, distinct, and of a cluster's own words, so that names and concepts of clusters mean something.

use super::numbers::{CLUSTERS, Numbers};

/// Words of each cluster, in the order of the clusters.
const TOPICS: [[&str; 6]; CLUSTERS] = [
    ["river", "delta", "flood plain", "sediment", "water level", "upstream gauge"],
    ["sorting function", "array", "loop counter", "binary search", "stack frame", "unit test"],
    ["sonnet", "metaphor", "last stanza", "rhyme scheme", "narrator", "opening line"],
    ["fraction", "common divisor", "equation", "prime number", "remainder", "proof"],
    ["bread dough", "oven heat", "sour starter", "rolled oats", "baking tray", "crust"],
    ["treaty", "border dispute", "parliament", "trade route", "old capital", "peace envoy"],
    ["neuron", "synapse", "memory trace", "reflex", "spinal cord", "sleep stage"],
    ["database index", "query plan", "foreign key", "transaction log", "cache line", "table scan"],
    ["orbit", "moon phase", "telescope mirror", "comet tail", "solar wind", "launch window"],
    ["tax form", "invoice", "yearly balance", "deposit", "interest rate", "pension fund"],
    ["guitar chord", "slow rhythm", "choir", "melody", "bass line", "concert hall"],
    ["garden soil", "pruning shears", "seedling", "compost heap", "apple tree", "late frost"],
    ["train timetable", "platform", "night bus", "bicycle lane", "toll bridge", "ferry"],
    ["vaccine dose", "fever", "blood test", "ward nurse", "allergy", "clinical trial"],
    ["verb tense", "plural noun", "clause", "accent mark", "loan word", "spelling rule"],
    ["chess opening", "rook endgame", "pawn chain", "time trouble", "draw offer", "queen trade"],
    ["wind turbine", "power grid", "battery pack", "solar panel", "peak load", "heat pump"],
    ["court ruling", "appeal", "witness", "contract clause", "jury", "legal notice"],
    ["brick wall", "roof beam", "window frame", "arch", "floor plan", "load test"],
    ["acid", "molecule", "catalyst", "lab flask", "reaction rate", "salt crystal"],
    ["wool yarn", "hem", "sewing pattern", "linen", "button hole", "loom"],
    ["goal keeper", "relay race", "training plan", "penalty kick", "referee", "long jump"],
    ["harbour pilot", "anchor", "tide table", "mast", "life raft", "sea chart"],
    ["honey bee", "hive frame", "queen cell", "nectar flow", "swarm", "smoker"],
];

const ASKS: [&str; 8] = [
    "Explain how the {a} depends on the {b}",
    "Compare the {a} with the {b}",
    "List three facts about the {a} and the {b}",
    "Write one sentence on the {a} for someone who knows the {b}",
    "Why does the {a} matter more than the {b}",
    "Summarise what the {a} tells about the {b}",
    "Correct this claim on the {a} and the {b}",
    "Describe the {a} without naming the {b}",
];

const LINKS: [&str; 10] =
    ["shapes", "limits", "follows", "needs", "hides", "shows", "replaces", "strengthens", "precedes", "explains"];

/// Instruction and output of a row. The number of the row stands in the instruction, so that no two samples are equal.
pub(super) fn of(numbers: &Numbers, row: u32) -> (String, String) {
    let topic = &TOPICS[numbers.cluster(row) as usize];
    let word = |turn: u64| topic[numbers.word(row, turn, topic.len())];
    let ask = ASKS[numbers.word(row, 0, ASKS.len())].replace("{a}", word(1)).replace("{b}", word(2));
    let mut output = String::new();
    let words = numbers.response_words(row);
    let mut turn = 3;
    while output.split(' ').count() < words {
        let link = LINKS[numbers.word(row, turn, LINKS.len())];
        output.push_str(&format!("The {} {link} the {}. ", word(turn + 1), word(turn + 2)));
        turn += 3;
    }
    (format!("{ask}, case {row}."), output.trim_end().to_owned())
}
