//! One table of every recipe field: place, default, what is allowed, and the words beside it. The file that `new`
//! writes, the check and its error messages all come from here.

use paser_protocol::MOST_ANCHORS;

/// What a field may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Text,
    Choice(&'static [&'static str]),
    Integer {
        min: i64,
        max: i64,
    },
    Number {
        min: f64,
        max: f64,
    },
    Flag,
    /// `automatic`, `fine`, `coarse` or a number of at least 1.
    Clusters,
    /// `none`, a share, `multiples of N` or a list of ids.
    HoldOut,
    /// `20%`, `1000` or `2M-tokens`.
    Budget,
    /// A number of phrases, or `all`.
    PerSample,
    /// A list of paths.
    Files,
    /// A list of models: folders or hub ids.
    Models,
    /// A list of whole numbers.
    Seeds,
    /// A number of its own, or `shared`.
    Own {
        min: f64,
        max: f64,
    },
}

impl Kind {
    /// What a person may write, for error messages and comments.
    pub fn allowed(self) -> String {
        match self {
            Self::Text => "a text in quotes".to_owned(),
            Self::Choice(words) => words.join(" | "),
            Self::Integer { min, max: i64::MAX } => format!("a whole number of at least {min}"),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Number { min, max } if max == f64::MAX => format!("a number of at least {min}"),
            Self::Number { min, max } => format!("a number from {min} to {max}"),
            Self::Flag => "true | false".to_owned(),
            Self::Clusters => "automatic | fine | coarse | a whole number from 1 to 1000".to_owned(),
            Self::HoldOut => "\"none\", a share such as 0.05, \"multiples of 50\", or a list of ids".to_owned(),
            Self::Budget => "20%, 1000 or 2M-tokens".to_owned(),
            Self::PerSample => "a whole number from 1 to 100, or \"all\"".to_owned(),
            Self::Files => "a list of files, such as [\"arc_easy.jsonl\"], or []".to_owned(),
            Self::Seeds => "a list of different whole numbers, such as [1, 2, 3]".to_owned(),
            Self::Own { min, max } => format!("\"shared\", or a number from {min} to {max}"),
            Self::Models => "a list of models, such as [\"llama-wanda-2-4\"], or []".to_owned(),
        }
    }
}

/// One field. `default` is a TOML literal.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub section: &'static str,
    pub key: &'static str,
    pub default: &'static str,
    pub kind: Kind,
    pub comment: &'static str,
}

const fn field(
    section: &'static str,
    key: &'static str,
    default: &'static str,
    kind: Kind,
    comment: &'static str,
) -> Field {
    Field { section, key, default, kind, comment }
}

/// The layout of the file; another number is another program's recipe.
pub const LAYOUT: i64 = 1;

/// Section name of the fields of one `[[selections]]` entry.
pub const SELECTION: &str = "selections";

/// Section name of the fields of one `[[arms]]` entry.
pub const ARM: &str = "arms";

/// What stands above each section.
pub const SECTIONS: &[(&str, &str)] = &[
    ("pool", "The instruction data to choose from."),
    ("roles", "Which column plays which part. `auto` for all four recognises Alpaca, LaMini and Dolly names."),
    ("template", "How a sample becomes a prompt."),
    ("vectors", "How a sample becomes a point: a sentence encoder, or TF-IDF + SVD where none is named."),
    ("manifold", "How points become a manifold and clusters (neighbours, diffusion map, symmetric NMF)."),
    ("models", "The model before and after pruning: a folder (from this one) or a hub id, org/name[@revision]."),
    ("prune", "Makes the pruned model here, where models.pruned is empty."),
    ("score", "One teacher-forced pass of both models over the pool."),
    ("concepts", "The phrases whose co-occurrence keeps contradicting samples out."),
    ("checks", "What to look for in the pool after its import. It is shown, and nothing is left out by itself."),
    (
        "strategies",
        "Strategies that read a column which takes a pass of its own. It is computed only for a selection that asks for it.",
    ),
    ("recover", "How the arms are trained, each of them, and on what they are measured."),
];

/// Sections that recipes of earlier versions lack. Nothing that a run computed by such a recipe depends on them; they
/// hold their defaults there, and the checks say so.
pub const LATER: &[&str] = &["checks", "strategies", "recover"];

/// Keys that recipes of earlier versions lack in a section that they have. Without them nothing is computed that those
/// versions did not compute.
pub const LATER_KEYS: &[(&str, &str)] = &[("models", "others")];

/// Every field outside `[[selections]]`, in the order of the file.
pub const FIELDS: &[Field] = &[
    field("", "recipe", "1", Kind::Integer { min: LAYOUT, max: LAYOUT }, "Layout of this file."),
    field("", "name", "\"\"", Kind::Text, "What the project is called in titles; empty: its folder's name."),
    field(
        "pool",
        "path",
        "\"\"",
        Kind::Text,
        "JSON, JSONL or Parquet, a folder of shards (a relative path starts at this folder), or \
         hub:org/name@revision:config/split.",
    ),
    field(
        "pool",
        "holdout",
        "\"none\"",
        Kind::HoldOut,
        "Kept for evaluation, out of every selection and statistic: none, a share by content hash (0.05), \
         \"multiples of 50\" (of whole-number ids), or a list of ids.",
    ),
    field("roles", "instruction", "\"auto\"", Kind::Text, "Column of the instruction."),
    field("roles", "input", "\"auto\"", Kind::Text, "Column of the input; \"none\" where there is none."),
    field("roles", "output", "\"auto\"", Kind::Text, "Column of the response."),
    field("roles", "id", "\"auto\"", Kind::Text, "Column of the id; \"none\": the line number."),
    field(
        "template",
        "name",
        "\"alpaca\"",
        Kind::Choice(&["alpaca", "plain", "chat"]),
        "alpaca (Stanford's wording), plain, or chat (the tokenizer's own template).",
    ),
    field(
        "template",
        "max_tokens",
        "512",
        Kind::Integer { min: 2, max: 1 << 20 },
        "Prompt and response together; longer responses are cut. Never more than the models' context.",
    ),
    field(
        "vectors",
        "encoder",
        "\"\"",
        Kind::Text,
        "Sentence encoder, e.g. sentence-transformers/all-MiniLM-L6-v2; empty: TF-IDF + SVD.",
    ),
    field(
        "vectors",
        "text",
        "\"question\"",
        Kind::Choice(&["question", "instruction"]),
        "What is encoded: the instruction with its input (question), or the instruction alone (the paper).",
    ),
    field("vectors", "dimensions", "256", Kind::Integer { min: 2, max: 1000 }, "TF-IDF + SVD: dimensions kept."),
    field("manifold", "neighbours", "15", Kind::Integer { min: 2, max: 100 }, "Graph neighbours of a sample."),
    field(
        "manifold",
        "candidates",
        "30",
        Kind::Integer { min: 2, max: 250 },
        "Candidates the search ranks exactly; at least `neighbours`.",
    ),
    field(
        "manifold",
        "bandwidth_neighbour",
        "7",
        Kind::Integer { min: 1, max: 100 },
        "The neighbour whose distance is the local scale; at most `neighbours`.",
    ),
    field(
        "manifold",
        "alpha",
        "0.0",
        Kind::Number { min: 0.0, max: 1.0 },
        "Density exponent: 0 is the paper's Laplacian, 1 for pools of very uneven density.",
    ),
    field("manifold", "dimensions", "16", Kind::Integer { min: 1, max: 200 }, "Diffusion coordinates d."),
    field("manifold", "time", "1.0", Kind::Number { min: 0.0, max: 100.0 }, "Diffusion time t."),
    field(
        "manifold",
        "clusters",
        "\"automatic\"",
        Kind::Clusters,
        "Number of clusters before merging: automatic (by stability), fine, coarse, or a fixed number.",
    ),
    field(
        "manifold",
        "merge",
        "\"small\"",
        Kind::Choice(&["small", "none"]),
        "Whether clusters too small to trust join their nearest one.",
    ),
    field(
        "manifold",
        "start",
        "\"spectral\"",
        Kind::Choice(&["spectral", "manifold"]),
        "First labels: k-means on eigenvectors, or on diffusion coordinates (there `dimensions` decides).",
    ),
    field(
        "manifold",
        "k_max",
        "40",
        Kind::Integer { min: 4, max: 200 },
        "Largest number of clusters the stability curve looks at; small pools lower it.",
    ),
    field(
        "manifold",
        "curve_rows",
        "10000",
        Kind::Integer { min: 240, max: 1_000_000 },
        "Samples of the stability curve, the first in content-hash order.",
    ),
    field("manifold", "half_splits", "3", Kind::Integer { min: 1, max: 20 }, "Half-splits of the stability curve."),
    field("manifold", "seed", "0", Kind::Integer { min: 0, max: i64::MAX }, "Seed of every random choice here."),
    field("models", "dense", "\"\"", Kind::Text, "The model before pruning."),
    field("models", "pruned", "\"\"", Kind::Text, "The model after pruning; empty: made by [prune], if that is on."),
    field(
        "models",
        "others",
        "[]",
        Kind::Models,
        "Further pruned copies of the dense model: scored as well, and shown beside models.pruned, which selections are \
         made with.",
    ),
    field(
        "models",
        "device",
        "\"cpu\"",
        Kind::Choice(&["cpu"]),
        "Where the models run. This build computes on the processor, in f32.",
    ),
    field(
        "prune",
        "method",
        "\"none\"",
        Kind::Choice(&["none", "magnitude", "wanda"]),
        "none, magnitude, or wanda (needs calibration samples).",
    ),
    field("prune", "pattern", "\"0.5\"", Kind::Text, "Share of zeros in every projection (0.5), 2:4 or 4:8."),
    field(
        "prune",
        "calibration",
        "128",
        Kind::Integer { min: 1, max: 100_000 },
        "wanda: samples of the pool, the first in content-hash order.",
    ),
    field(
        "score",
        "batch_tokens",
        "1024",
        Kind::Integer { min: 16, max: 1 << 24 },
        "Tokens of a forward pass, per thread: around 1,000 keep a small model in the cache.",
    ),
    field(
        "score",
        "shard",
        "2000",
        Kind::Integer { min: 1, max: 1 << 20 },
        "Most samples finished at a time, which a kill can lose; large models finish fewer.",
    ),
    field(
        "concepts",
        "per_sample",
        "5",
        Kind::PerSample,
        "Best phrases of a sample that count; \"all\" is the paper's literal rule.",
    ),
    field("concepts", "max_words", "4", Kind::Integer { min: 1, max: 20 }, "Longer phrases are dropped."),
    field(
        "checks",
        "near_duplicates",
        "0.8",
        Kind::Number { min: 0.0, max: 1.0 },
        "Samples are near-duplicates from this similarity on: the Jaccard index of their three-word runs, 0.5 to 1; 0 \
         does not look.",
    ),
    field(
        "checks",
        "benchmarks",
        "[]",
        Kind::Files,
        "Files of benchmark tasks whose questions no sample should contain: JSON lines, a JSON array or .txt; a \
         relative path starts at this folder.",
    ),
    field(
        "strategies",
        "ifd_model",
        "\"dense\"",
        Kind::Choice(&["dense", "pruned"]),
        "ifd: whose loss with the prompt is divided by its loss without, the response behind the bare marker of the \
         template (\"### Response:\" of alpaca).",
    ),
    field(
        "strategies",
        "filter_model",
        "\"\"",
        Kind::Text,
        "superfiltering: a small language model, folder or hub id, with a tokenizer of its own. There is no default.",
    ),
    field(
        "strategies",
        "nuggets_model",
        "\"dense\"",
        Kind::Choice(&["dense", "pruned"]),
        "nuggets: whose losses on the anchor tasks are compared.",
    ),
    field(
        "strategies",
        "nuggets_anchors",
        "100",
        Kind::Integer { min: 1, max: MOST_ANCHORS as i64 },
        "nuggets: anchor tasks m; each sample of the pool costs m forward passes.",
    ),
    field(
        "strategies",
        "nuggets_from",
        "\"pool\"",
        Kind::Choice(&["pool", "holdout"]),
        "nuggets: anchors are the samples nearest to the centres of a k-means with m clusters, of the pool or of what is \
         held out.",
    ),
    field(
        "recover",
        "method",
        "\"lora\"",
        Kind::Choice(&["lora", "last-layers", "full"]),
        "lora (low-rank additions to all seven projections), last-layers (with final norm and head: for models that lost \
         whole layers), full (every weight: small models).",
    ),
    field("recover", "rank", "8", Kind::Integer { min: 1, max: 1024 }, "Rank of the additions."),
    field("recover", "alpha", "16.0", Kind::Number { min: 0.001, max: 1e6 }, "They are multiplied by alpha / rank."),
    field("recover", "dropout", "0.05", Kind::Number { min: 0.0, max: 0.9 }, "Of the inputs of the additions."),
    field("recover", "last_layers", "2", Kind::Integer { min: 1, max: 1000 }, "Layers that last-layers trains."),
    field(
        "recover",
        "learning_rate",
        "0.0001",
        Kind::Number { min: 1e-9, max: 10.0 },
        "At its height. Small models need more: `paser recover --sweep` tries three on the random arm.",
    ),
    field("recover", "weight_decay", "0.0", Kind::Number { min: 0.0, max: 10.0 }, "Decoupled, of AdamW."),
    field(
        "recover",
        "warmup",
        "100",
        Kind::Integer { min: 0, max: 1 << 30 },
        "Steps over which the learning rate rises; never more than a tenth of a run.",
    ),
    field(
        "recover",
        "decay",
        "\"linear\"",
        Kind::Choice(&["linear", "cosine", "constant"]),
        "How it falls after that.",
    ),
    field("recover", "batch", "64", Kind::Integer { min: 1, max: 1 << 20 }, "Samples a step."),
    field("recover", "length", "256", Kind::Integer { min: 2, max: 1 << 20 }, "Prompt and response tokens, at most."),
    field("recover", "clip", "1.0", Kind::Number { min: 1e-6, max: 1e9 }, "Largest norm of all gradients together."),
    field(
        "recover",
        "equal",
        "\"steps\"",
        Kind::Choice(&["steps", "epochs", "response-tokens"]),
        "What all arms get the same amount of.",
    ),
    field("recover", "steps", "240", Kind::Integer { min: 1, max: 1 << 30 }, "By equal steps."),
    field("recover", "epochs", "2.0", Kind::Number { min: 0.001, max: 1000.0 }, "By equal epochs."),
    field(
        "recover",
        "response_tokens",
        "1000000",
        Kind::Integer { min: 1, max: i64::MAX },
        "By equal response tokens.",
    ),
    field(
        "recover",
        "points",
        "8",
        Kind::Integer { min: 1, max: 1000 },
        "Looks at an arm in training, the last at its end.",
    ),
    field(
        "recover",
        "held_out",
        "1000",
        Kind::Integer { min: 0, max: 1 << 30 },
        "Samples of pool.holdout that a look measures, the first in content-hash order.",
    ),
    field(
        "recover",
        "items",
        "[]",
        Kind::Files,
        "Files of items that a look measures besides: JSON lines with the pool's columns, grouped by `capability` where \
         they have it.",
    ),
];

/// The fields of one arm.
pub const ARM_FIELDS: &[Field] = &[
    field(ARM, "name", "\"paser\"", Kind::Text, "Its name."),
    field(
        ARM,
        "data",
        "\"selection paser-20\"",
        Kind::Text,
        "selection NAME (one that is drawn at random is drawn anew for every seed), or cluster N.",
    ),
    field(ARM, "seeds", "[1, 2, 3]", Kind::Seeds, "A run for each."),
    field(
        ARM,
        "equal",
        "\"shared\"",
        Kind::Choice(&["shared", "steps", "epochs", "response-tokens"]),
        "Instead of the section's; shared: the section's.",
    ),
    field(ARM, "learning_rate", "\"shared\"", Kind::Own { min: 1e-9, max: 10.0 }, "The same."),
    field(ARM, "steps", "\"shared\"", Kind::Own { min: 1.0, max: 1e9 }, "The same, by equal steps."),
];

/// The fields of one selection that a run keeps up to date.
pub const SELECTION_FIELDS: &[Field] = &[
    field(SELECTION, "name", "\"paser-20\"", Kind::Text, "Its name."),
    field(
        SELECTION,
        "strategy",
        "\"paser\"",
        Kind::Choice(&[
            "paser",
            "paser-guarded",
            "paser-no-s2ric",
            "paser-no-cdais",
            "paser-no-ntem",
            "full",
            "random",
            "random-length-matched",
            "longest",
            "jsd-top",
            "perplexity-mid",
            "perplexity-top",
            "kcenter",
            "instruction-mining",
            "ifd",
            "superfiltering",
            "nuggets",
            "manual",
        ]),
        "paser, paser-guarded, paser-no-s2ric, paser-no-cdais, paser-no-ntem, full, random, random-length-matched, \
         longest, jsd-top, perplexity-mid, perplexity-top, kcenter (farthest first; time grows with budget x pool), \
         instruction-mining (v1 without its reward term), ifd, superfiltering, nuggets (see [strategies]), manual.",
    ),
    field(SELECTION, "budget", "\"20%\"", Kind::Budget, "20%, 1000 (samples) or 2M-tokens."),
    field(
        SELECTION,
        "guard",
        "\"none\"",
        Kind::Choice(&["none", "tukey"]),
        "Noise guard: sets aside what surprises even the dense model.",
    ),
    field(SELECTION, "concepts", "true", Kind::Flag, "The concept graph."),
    field(
        SELECTION,
        "strictness",
        "1.0",
        Kind::Number { min: 0.0, max: 1.0 },
        "Share of known concept pairs that must be linked; 1 is the paper.",
    ),
    field(
        SELECTION,
        "refill",
        "\"fewest-conflicts\"",
        Kind::Choice(&["fewest-conflicts", "none"]),
        "What fills a quota whose consistent candidates ran out; none is the paper.",
    ),
    field(
        SELECTION,
        "weight",
        "\"cds\"",
        Kind::Choice(&["cds", "cds_x_size", "uniform"]),
        "What a cluster's share of the budget follows; cds is the paper.",
    ),
    field(
        SELECTION,
        "damage",
        "\"whole\"",
        Kind::Choice(&["whole", "after-first-token"]),
        "Which damage drives quotas and order.",
    ),
    field(SELECTION, "seed", "0", Kind::Integer { min: 0, max: i64::MAX }, "For strategies that draw."),
];
