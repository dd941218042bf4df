//! A made-up project of 3,000 samples in 12 clusters: places on a map, damage, tokens, texts. Generated, the same every
//! time, and plausible enough to look at.

use paser_protocol::{
    ClusterDamage, ClusterView, ColumnInfo, ColumnKind, CurationView, CurveView, Failure, ManifoldView, PassView,
    PoolView, ProjectView, Report, SchemeView, SelectionPlan, Stage, StageState, StageView, Strategy,
};

/// Seconds since 1970 in the tests.
pub const NOW: u64 = 1_760_000_000;

pub struct Kind {
    pub name: &'static str,
    pub samples: usize,
    pub damage: f64,
    centre: [f32; 2],
    spread: [f32; 2],
    concepts: &'static [&'static str],
    texts: &'static [&'static str],
}

pub const KINDS: [Kind; 12] = [
    Kind {
        name: "rewriting sentences",
        samples: 640,
        damage: 0.061,
        centre: [-3.4, 1.9],
        spread: [0.75, 0.6],
        concepts: &["rewrite", "politely", "shorter", "passive voice", "question", "tone"],
        texts: &[
            "Rewrite the sentence so that it is polite: {a} gave {b} the {c}.",
            "Make the sentence shorter without losing its meaning: the {c} that {a} had bought was given to {b}.",
        ],
    },
    Kind {
        name: "facts of towns",
        samples: 520,
        damage: 0.083,
        centre: [3.1, 2.0],
        spread: [0.7, 0.55],
        concepts: &["river", "town", "bridge", "harbour", "market day", "mayor"],
        texts: &[
            "Which river runs through the town of {a}?",
            "On which day is the market of {a} held, and what is sold there?",
        ],
    },
    Kind {
        name: "facts of people",
        samples: 430,
        damage: 0.102,
        centre: [0.1, 2.9],
        spread: [0.8, 0.35],
        concepts: &["profession", "born in", "sister", "teacher", "lives in"],
        texts: &["What is the profession of {a}, who lives in {b}?", "Who taught {a} to repair a {c}?"],
    },
    Kind {
        name: "sorting words",
        samples: 280,
        damage: 0.138,
        centre: [-3.8, -1.0],
        spread: [0.5, 0.45],
        concepts: &["alphabetical", "words", "reverse", "longest", "list"],
        texts: &[
            "Sort the words in alphabetical order: {c}, {a}, {b}.",
            "Which of these words is the longest: {a}, {b}, {c}?",
        ],
    },
    Kind {
        name: "strings and letters",
        samples: 240,
        damage: 0.171,
        centre: [-2.1, -2.3],
        spread: [0.55, 0.4],
        concepts: &["letter", "vowels", "count", "reverse", "capital"],
        texts: &["How many vowels are in the word {a}?", "Write the word {b} backwards."],
    },
    Kind {
        name: "reasoning chains",
        samples: 210,
        damage: 0.296,
        centre: [0.4, -0.5],
        spread: [0.65, 0.5],
        concepts: &["older than", "if all", "therefore", "taller", "follows"],
        texts: &[
            "{a} is older than {b}, and {b} is older than Ines. Who is the youngest?",
            "All {c}s are red. {a} has a {c}. What colour is it?",
        ],
    },
    Kind {
        name: "arithmetic with money",
        samples: 170,
        damage: 0.342,
        centre: [2.2, -0.9],
        spread: [0.5, 0.42],
        concepts: &["total cost", "change", "coins", "price", "half"],
        texts: &[
            "{a} buys three {c}s at 4 coins each and pays with 20. How much change does {a} get?",
            "A {c} costs 7 coins. {b} has 50. How many can {b} buy?",
        ],
    },
    Kind {
        name: "units and rates",
        samples: 140,
        damage: 0.251,
        centre: [3.6, -1.9],
        spread: [0.42, 0.38],
        concepts: &["per hour", "distance", "litres", "speed", "minutes"],
        texts: &[
            "A cart goes 6 miles per hour. How far does {a} get in 3 hours?",
            "{b} fills a tub of 40 litres at 8 litres a minute. How long does it take?",
        ],
    },
    Kind {
        name: "small functions",
        samples: 130,
        damage: 0.218,
        centre: [0.9, -2.7],
        spread: [0.6, 0.3],
        concepts: &["return", "loop", "list", "function", "index"],
        texts: &[
            "Write a function that returns the sum of a list.",
            "What does this loop print: for i in range(3): print(i * 2)?",
        ],
    },
    Kind {
        name: "true or false",
        samples: 110,
        damage: 0.047,
        centre: [-0.9, 1.1],
        spread: [0.4, 0.3],
        concepts: &["true", "false", "statement"],
        texts: &["True or false: {a} lives in {b}.", "Is it true that a {c} can float?"],
    },
    Kind {
        name: "dates and calendars",
        samples: 80,
        damage: 0.187,
        centre: [4.4, 0.4],
        spread: [0.3, 0.35],
        concepts: &["day after", "weeks", "month", "leap year"],
        texts: &["What day is it 10 days after a Monday?", "How many days are between the 3rd and the 21st?"],
    },
    Kind {
        name: "off-topic replies",
        samples: 50,
        damage: 0.115,
        centre: [-4.6, 0.4],
        spread: [0.25, 0.3],
        concepts: &["weather", "thanks", "hello"],
        texts: &["Tell me about the {c} of {a}.", "Say hello to {b}."],
    },
];

impl Kind {
    pub fn concepts(&self) -> Vec<String> {
        self.concepts.iter().map(|concept| (*concept).to_owned()).collect()
    }
}

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn unit(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        let radius = (-2.0 * self.unit().max(1e-7).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }
}

/// Every sample's values, in pool order.
pub struct Pool {
    pub cluster: Vec<u32>,
    pub places: Vec<f32>,
    pub jsd: Vec<f32>,
    pub ies: Vec<f32>,
    pub tokens: Vec<f32>,
    pub prompt: Vec<f32>,
    pub loss_dense: Vec<f32>,
    pub loss_pruned: Vec<f32>,
    pub capability: Vec<u32>,
}

impl Pool {
    pub fn len(&self) -> usize {
        self.cluster.len()
    }
}

pub fn pool() -> Pool {
    let mut random = Random::new(42);
    let mut order: Vec<u32> = KINDS.iter().enumerate().flat_map(|(k, kind)| vec![k as u32; kind.samples]).collect();
    for place in (1..order.len()).rev() {
        order.swap(place, (random.unit() * (place + 1) as f32) as usize);
    }
    let mut pool = Pool {
        cluster: order,
        places: vec![],
        jsd: vec![],
        ies: vec![],
        tokens: vec![],
        prompt: vec![],
        loss_dense: vec![],
        loss_pruned: vec![],
        capability: vec![],
    };
    for cluster in pool.cluster.clone() {
        let kind = &KINDS[cluster as usize];
        // Small islands inside of every cluster.
        let island = (random.unit() * 5.0) as usize as f32;
        let angle = island * 1.256 + cluster as f32;
        let (x, y) = (angle.cos() * 0.9, angle.sin() * 0.9);
        pool.places.push(kind.centre[0] + kind.spread[0] * (x + random.normal() * 0.42));
        pool.places.push(kind.centre[1] + kind.spread[1] * (y + random.normal() * 0.42));
        let jsd = (kind.damage as f32 * (0.38 * random.normal()).exp() * 0.92).clamp(0.001, 0.68);
        let prompt = (18.0 + 14.0 * random.unit()).round();
        let tokens = (4.0 + 26.0 * random.unit() * random.unit() + cluster as f32).round();
        pool.jsd.push(jsd);
        pool.prompt.push(prompt);
        pool.tokens.push(tokens);
        pool.ies.push(jsd / ((prompt + tokens) * (prompt + tokens)).ln());
        let dense = 0.1 + 0.5 * random.unit();
        pool.loss_dense.push(dense);
        pool.loss_pruned.push(dense + jsd * 4.0);
        pool.capability.push(match cluster {
            0 | 9 => 0,
            1 | 2 | 10 => 1,
            3 | 4 => 2,
            5 => 3,
            6 | 7 => 4,
            8 => 5,
            _ => 6,
        });
    }
    pool
}

const NAMES: [&str; 8] = ["Mira", "Tolvan", "Esker", "Junia", "Brask", "Ondine", "Perrin", "Salka"];
const THINGS: [&str; 6] = ["lantern", "basket", "kettle", "flute", "ladder", "map"];

/// The instruction of a row.
pub fn instruction(pool: &Pool, row: u32) -> String {
    let kind = &KINDS[pool.cluster[row as usize] as usize];
    let text = kind.texts[row as usize % kind.texts.len()];
    text.replace("{a}", NAMES[row as usize % 8])
        .replace("{b}", NAMES[(row as usize / 8 + 3) % 8])
        .replace("{c}", THINGS[row as usize % 6])
}

pub fn columns() -> Vec<ColumnInfo> {
    let number = |name: &str, label: &str, unit: &str, minimum, maximum| ColumnInfo {
        key: format!("k-{name}"),
        name: name.to_owned(),
        label: label.to_owned(),
        unit: unit.to_owned(),
        kind: ColumnKind::Number { minimum, maximum },
    };
    vec![
        ColumnInfo {
            key: "k-map".into(),
            name: "map".into(),
            label: "map".into(),
            unit: String::new(),
            kind: ColumnKind::Positions,
        },
        ColumnInfo {
            key: "k-cluster".into(),
            name: "cluster".into(),
            label: "cluster".into(),
            unit: String::new(),
            kind: ColumnKind::Category { labels: KINDS.iter().map(|kind| kind.name.to_owned()).collect() },
        },
        number("jsd", "damage (JSD)", "nats", 0.0, 0.68),
        number("ies", "efficiency (IES)", "nats per log token", 0.0, 0.1),
        number("response_tokens", "response tokens", "tokens", 4.0, 42.0),
        number("loss_dense", "dense loss", "nats per token", 0.1, 0.6),
        number("loss_pruned", "pruned loss", "nats per token", 0.1, 3.2),
        ColumnInfo {
            key: "k-capability".into(),
            name: "extra:capability".into(),
            label: "capability".into(),
            unit: String::new(),
            kind: ColumnKind::Category {
                labels: ["rewriting", "facts", "strings", "reasoning", "arithmetic", "code", "noise"]
                    .map(str::to_owned)
                    .to_vec(),
            },
        },
    ]
}

pub fn clusters(pool: &Pool, pinned: &[u32], excluded: &[u32], scored: bool) -> Vec<ClusterView> {
    KINDS
        .iter()
        .enumerate()
        .map(|(k, kind)| {
            let rows: Vec<usize> = (0..pool.len()).filter(|row| pool.cluster[*row] == k as u32).collect();
            let count = rows.len() as f64;
            let mean = rows.iter().map(|row| f64::from(pool.jsd[*row])).sum::<f64>() / count;
            let spread = rows.iter().map(|row| (f64::from(pool.jsd[*row]) - mean).powi(2)).sum::<f64>() / count;
            let half = 1.96 * (spread / count).sqrt();
            let mut histogram = vec![0; 24];
            for row in &rows {
                histogram[((pool.jsd[*row] / 0.4 * 24.0) as usize).min(23)] += 1;
            }
            let all = |row: &usize| u64::from(pool.prompt[*row] as u32) + pool.tokens[*row] as u64;
            let of = |marked: &[u32]| {
                rows.iter().filter(|row| marked.contains(&(**row as u32))).copied().collect::<Vec<_>>()
            };
            let (pins, out) = (of(pinned), of(excluded));
            let tokens: u64 = rows.iter().map(all).sum();
            ClusterView {
                cluster: k as u32,
                name: kind.name.to_owned(),
                colour: k as u32,
                samples: rows.len() as u64,
                tokens: rows.iter().map(|row| pool.tokens[*row] as u64).sum(),
                cds: scored.then_some(mean),
                cds_low: scored.then_some(mean - half),
                cds_high: scored.then_some(mean + half),
                cds_rest: scored.then_some(mean * if k % 3 == 0 { 0.7 } else { 0.95 }),
                scored: if scored { rows.len() as u64 } else { 0 },
                eligible: (rows.len() - out.len()) as u64,
                eligible_tokens: tokens - out.iter().map(all).sum::<u64>(),
                pinned: pins.len() as u64,
                pinned_tokens: pins.iter().map(all).sum(),
                concepts: kind.concepts.iter().map(|concept| (*concept).to_owned()).collect(),
                quota: None,
                emphasis: 1.0,
                centre: kind.centre,
                histogram,
            }
        })
        .collect()
}

/// The columns of strategies with a pass of their own: none is there, and the filter model is not named.
fn passes() -> Vec<PassView> {
    let pass = |strategy, what: &str, estimate| PassView {
        strategy,
        key: None,
        blocked: None,
        what: what.into(),
        estimate,
        kept: None,
    };
    let no_model = Report::new(
        Failure::Usage,
        "superfiltering needs a small language model, and the recipe names none.",
        "Write one into [strategies] of recipe.toml: filter_model = \"FOLDER or org/name\".",
    );
    vec![
        pass(Strategy::Ifd, "one more pass of the dense model over the responses alone", Some((3.0, 9.0))),
        PassView {
            blocked: Some(no_model),
            ..pass(Strategy::Superfiltering, "two passes of the filter model over the pool", None)
        },
        pass(
            Strategy::Nuggets,
            "a pass of every sample as an example before 100 anchor tasks, by the dense model",
            Some((190.0, 560.0)),
        ),
    ]
}

pub fn project(pool: &Pool, scored: bool) -> ProjectView {
    let curve = CurveView {
        clusters: (4..=24).collect(),
        stability: (4..=24).map(|k| 0.97 - 0.0009 * f64::from((k - 6) * (k - 6))).collect(),
        stability_range: (4..=24)
            .map(|k| 0.97 - 0.0009 * f64::from((k - 6) * (k - 6)))
            .zip(4..)
            .map(|(mean, k)| (mean - 0.004 * f64::from(k), (mean + 0.003 * f64::from(k)).min(1.0)))
            .collect(),
        half_splits: 3,
        prediction_strength: (4..=24).map(|k| 0.9 - 0.02 * f64::from(k - 4)).collect(),
        nmf_error: (4..=24).map(|k| 0.9 - 0.3 * (f64::from(k) / 24.0).sqrt()).collect(),
        coarse: Some(6),
        fine: Some(12),
        elbow: Some(9),
        unclear: None,
    };
    let done = |stage, seconds| StageView {
        stage,
        state: StageState::Done { seconds, cached: false },
        estimate: None,
        kept: None,
    };
    let missing = |stage| StageView { stage, state: StageState::Missing, estimate: Some((20.0, 40.0)), kept: None };
    ProjectView {
        name: "demo".into(),
        path: "/home/somebody/.local/share/paser/demo".into(),
        demo: true,
        revision: 7,
        dense: "demo-llama-1.6m".into(),
        pruned: "demo-llama-1.6m-wanda60".into(),
        pruning: "Wanda 60 %".into(),
        template: "alpaca".into(),
        device: "cpu, 2 threads".into(),
        recipe: "[pool]\npath = \"pool.jsonl\"\n\n[models]\ndense = \"dense\"\npruned = \"pruned\"\n".into(),
        pool: PoolView {
            key: "import-1".into(),
            path: "/home/somebody/.local/share/paser/demo/pool.jsonl".into(),
            rows: 3_012,
            samples: pool.len() as u64,
            merged: 10,
            bad: 2,
            bad_rows: vec![
                paser_protocol::BadRowView { line: 118, reason: "no field `output`".into() },
                paser_protocol::BadRowView { line: 2_907, reason: "not valid JSON: expected `,` at column 44".into() },
            ],
            tokens: 105_000,
            response_tokens: 41_000,
            ..PoolView::default()
        },
        stages: vec![
            done(Stage::Import, 0.2),
            done(Stage::Embed, 1.4),
            done(Stage::Manifold, 6.1),
            if scored { done(Stage::Score, 24.0) } else { missing(Stage::Score) },
            if scored { done(Stage::Select, 0.1) } else { missing(Stage::Select) },
        ],
        manifold: Some(ManifoldView {
            vectors: "TF-IDF + SVD".into(),
            dimensions: 256,
            recall: 0.998,
            components: 1,
            components_linked: 0,
            k: 12,
            clusters: 12,
            rule: "fixed by the recipe of the demo".into(),
            merges: vec![],
            eigenvalues: (0..45).map(|j| 1.0 - 0.012 * f64::from(j) - if j > 11 { 0.12 } else { 0.0 }).collect(),
            curve: Some(curve),
        }),
        clusters: clusters(pool, &[], &[], scored),
        schemes: vec![],
        scored_so_far: None,
        damage_scale: 0.4,
        columns: columns(),
        selections: vec![],
        plan: SelectionPlan::default(),
        strategies: paser_protocol::StrategySettings::default(),
        passes: passes(),
        curation: CurationView::default(),
        job: None,
        run: None,
        comparison: None,
    }
}

/// Two more pruned models beside the project's own: a lighter one, and one by blocks that hurts other clusters and is
/// scored half-way.
pub fn with_schemes(project: &mut ProjectView) {
    let scheme = |name: &str, pruning: &str, own: bool, part: f64, factor: &dyn Fn(u32) -> f64| {
        let of = |cluster: &ClusterView| {
            let scored = (cluster.scored as f64 * part) as u64;
            let mean = cluster.cds.map(|cds| cds * factor(cluster.cluster));
            let half = |cluster: &ClusterView| Some((cluster.cds_high? - cluster.cds_low?) / 2.0 / part.sqrt());
            ClusterDamage {
                cluster: cluster.cluster,
                cds: mean,
                cds_low: mean.zip(half(cluster)).map(|(mean, half)| (mean - half).max(0.0)),
                cds_high: mean.zip(half(cluster)).map(|(mean, half)| mean + half),
                cds_rest: cluster.cds_rest.map(|rest| rest * factor(cluster.cluster)),
                scored,
            }
        };
        let damage: Vec<ClusterDamage> = project.clusters.iter().map(of).collect();
        SchemeView {
            reference: format!("../models/{name}"),
            name: name.to_owned(),
            pruning: pruning.to_owned(),
            own,
            scored: damage.iter().map(|damage| damage.scored).sum(),
            whole: part == 1.0,
            damage,
        }
    };
    project.schemes = vec![
        scheme(&project.pruned, &project.pruning, true, 1.0, &|_| 1.0),
        scheme("demo-llama-1.6m-magnitude20", "magnitude 20 %", false, 1.0, &|cluster| {
            0.2 + f64::from(cluster % 4) * 0.05
        }),
        scheme("demo-llama-1.6m-2of4", "2:4", false, 0.5, &|cluster| if cluster % 3 == 1 { 1.35 } else { 0.7 }),
    ];
    project.damage_scale = 0.5;
}
