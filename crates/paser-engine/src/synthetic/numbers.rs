//! The made-up numbers of a row, each from the seed, the row and a name of its own, so that no order of making them
//! matters.

/// Capability clusters; the sizes fall from the first to the last, by a factor of some hundred.
pub(super) const CLUSTERS: usize = 24;

/// Everything of a row follows from these.
pub(super) struct Numbers {
    pub seed: u64,
    pub samples: u32,
    /// Share of the samples in clusters up to each.
    shares: Vec<f64>,
}

/// What is made up of a row; of each two following numbers one pair.
#[derive(Clone, Copy)]
enum What {
    Cluster,
    Place,
    Vector,
    Damage,
    Loss,
    Share,
    Membership,
    Words,
    Length,
}

/// The scores of one row.
pub(super) struct Made {
    jsd: f64,
    first_share: f64,
    loss_dense: f64,
    pub instruction_tokens: u32,
    pub prompt_tokens: u32,
    pub response_tokens: u32,
}

impl Numbers {
    pub fn new(seed: u64, samples: u32) -> Self {
        let weights: Vec<f64> = (0..CLUSTERS).map(|cluster| 0.82_f64.powi(cluster as i32)).collect();
        let sum: f64 = weights.iter().sum();
        let mut reached = 0.0;
        let shares = weights.iter().map(|weight| {
            reached += weight / sum;
            reached
        });
        Self { seed, samples, shares: shares.collect() }
    }

    /// Any whole number (Steele, Lea and Flood 2014: splitmix64).
    fn whole(&self, row: u32, what: What, turn: u64) -> u64 {
        let name = u64::from(row) << 24 | (what as u64) << 16 | turn;
        let mut mixed = (self.seed ^ name.wrapping_mul(0xd134_2543_de82_ef95)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// At least 0, below 1.
    fn share(&self, row: u32, what: What, turn: u64) -> f64 {
        (self.whole(row, what, turn) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal, mean 0, deviation 1 (Box and Muller).
    fn bell(&self, row: u32, what: What, turn: u64) -> f64 {
        let radius = (-2.0 * (1.0 - self.share(row, what, 2 * turn)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.share(row, what, 2 * turn + 1)).cos()
    }

    pub fn cluster(&self, row: u32) -> u32 {
        let at = self.share(row, What::Cluster, 0);
        self.shares.partition_point(|reached| *reached <= at).min(CLUSTERS - 1) as u32
    }

    /// One of `count`, for the `turn`th word.
    pub fn word(&self, row: u32, turn: u64, count: usize) -> usize {
        (self.whole(row, What::Words, turn) % count as u64) as usize
    }

    /// Words of the response: few in most samples, many in some.
    pub fn response_words(&self, row: u32) -> usize {
        (14.0 * (0.6 * self.bell(row, What::Length, 0)).exp()).clamp(3.0, 60.0) as usize
    }

    /// A blob for every cluster, on a spiral from the middle outwards; half of each blob in smaller ones.
    pub fn place(&self, row: u32) -> [f32; 2] {
        let cluster = self.cluster(row);
        let turned = f64::from(cluster) * 2.399_963_229_728_653;
        let out = 2.4 * f64::from(cluster).sqrt();
        let size = 0.35 + 1.1 * 0.93_f64.powi(cluster as i32);
        let part = self.whole(row, What::Place, 9) % 8;
        let (middle, width) = if part < 4 {
            ([0.0, 0.0], size)
        } else {
            let angle = part as f64 * 1.7 + f64::from(cluster);
            ([size * 1.2 * angle.cos(), size * 1.2 * angle.sin()], size * 0.22)
        };
        let x = out * turned.cos() + middle[0] + width * self.bell(row, What::Place, 0);
        let y = out * turned.sin() + middle[1] + 0.7 * width * self.bell(row, What::Place, 1);
        [x as f32, y as f32]
    }

    /// Of unit length, near those of its cluster.
    pub fn vector(&self, row: u32, dimensions: usize) -> Vec<f32> {
        let cluster = self.cluster(row);
        let values: Vec<f64> = (0..dimensions as u64)
            // Beyond every row: the centre of the cluster.
            .map(|at| self.bell(u32::MAX - cluster, What::Vector, at) + 0.5 * self.bell(row, What::Vector, at))
            .collect();
        let length = values.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-9);
        values.into_iter().map(|value| (value / length) as f32).collect()
    }

    /// Shares of a row in all clusters; they sum to 1.
    pub fn membership(&self, row: u32) -> [f32; CLUSTERS] {
        let own = 0.55 + 0.4 * self.share(row, What::Membership, 0);
        let mut shares = [((1.0 - own) / (CLUSTERS - 1) as f64) as f32; CLUSTERS];
        shares[self.cluster(row) as usize] = own as f32;
        shares
    }

    pub fn score(&self, row: u32) -> Made {
        let cluster = self.cluster(row);
        let hurt = 0.04 + 0.3 * self.share(u32::MAX - cluster, What::Damage, 0).powi(2);
        let instruction_tokens = 12 + self.word(row, 40, 9) as u32;
        Made {
            jsd: (hurt * (0.45 * self.bell(row, What::Damage, 1)).exp()).clamp(1e-4, 0.69),
            first_share: 0.5 * self.share(row, What::Share, 0),
            loss_dense: 0.6 + 0.8 * self.share(row, What::Loss, 0) + 0.2 * self.bell(row, What::Loss, 1).abs(),
            instruction_tokens,
            prompt_tokens: instruction_tokens + 30,
            response_tokens: 2 + (self.response_words(row) * 4 / 3) as u32,
        }
    }
}

impl Made {
    /// The value of a score column (`method.md` 2), kept consistent with the others where the method says how.
    pub fn column(&self, name: &str) -> f32 {
        let response = f64::from(self.response_tokens);
        let first = self.jsd * self.first_share * response;
        let rest = (self.jsd * response - first) / (response - 1.0);
        let tokens = f64::from(self.instruction_tokens + self.response_tokens);
        let value = match name {
            "jsd" => self.jsd,
            "jsd_rest" => rest,
            "jsd_first" => first.min(std::f64::consts::LN_2),
            "jsd_first3" => (self.jsd * 1.3).min(std::f64::consts::LN_2),
            "first_share" => self.first_share,
            "ies" => self.jsd / (2.0 * tokens.ln()),
            "loss_dense" => self.loss_dense,
            "loss_pruned" => self.loss_dense + 4.0 * self.jsd,
            "kl_dense_pruned" => 3.1 * self.jsd,
            "kl_pruned_dense" => 3.4 * self.jsd,
            "entropy_dense" => 0.8 * self.loss_dense,
            "entropy_pruned" => 0.8 * self.loss_dense + 2.0 * self.jsd,
            "top1_agreement" => (1.0 - 1.2 * self.jsd).max(0.0),
            _ => f64::NAN,
        };
        value as f32
    }
}
