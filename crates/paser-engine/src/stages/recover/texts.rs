//! The pool in the template and tokenizer of the pair, each sample tokenised when it is first asked for.

use std::path::Path;
use std::sync::OnceLock;

use paser_data::{Encoding, Pool, Template, Tokenizer, encode_sample};
use paser_recover::Sample;
use rayon::prelude::*;

use crate::{
    stages::{Bench, import},
    trouble::{Outcome, Told, cancelled},
};

pub(crate) struct Texts {
    pool: Pool,
    pub template: Template,
    pub tokenizer: Tokenizer,
    pub max_tokens: usize,
    encoded: Vec<OnceLock<Encoding>>,
}

impl Texts {
    pub(crate) fn read(bench: &Bench<'_>, dense: &Path, max_tokens: usize) -> Outcome<Self> {
        let tokenizer = Tokenizer::from_model_dir(dense).map_err(Told::told)?;
        let template = Template::by_name(&bench.recipe.recipe.template.name, dense).map_err(Told::told)?;
        let pool = import::pool(bench.session, &*bench.session.samples()?)?;
        let encoded = (0..pool.samples.len()).map(|_| OnceLock::new()).collect();
        Ok(Self { pool, template, tokenizer, max_tokens, encoded })
    }

    /// A sample as tokens.
    ///
    /// # Errors
    /// A template that fails.
    pub(crate) fn encoding(&self, row: u32) -> Outcome<&Encoding> {
        let place = &self.encoded[row as usize];
        if place.get().is_none() {
            let sample = &self.pool.samples[row as usize];
            let found = encode_sample(sample, &self.template, &self.tokenizer, self.max_tokens).map_err(Told::told)?;
            // Another thread may have been quicker, with the same tokens.
            let _ = place.set(found);
        }
        Ok(place.get_or_init(|| Encoding::Unscorable(String::new())))
    }

    /// The samples of these rows that can be trained on, in their order.
    pub(crate) fn trainable(&self, bench: &Bench<'_>, rows: &[u32]) -> Outcome<Vec<Sample>> {
        bench.work("tokenising", "samples", |monitor| {
            let each = rows.par_iter().map(|&row| {
                if monitor.cancelled() {
                    return Err(cancelled());
                }
                Ok(match self.encoding(row)? {
                    Encoding::Scorable(encoded) => {
                        Some(Sample { row, ids: encoded.ids.clone(), prompt_tokens: encoded.prompt_tokens as usize })
                    }
                    Encoding::Unscorable(_) => None,
                })
            });
            let found: Vec<Option<Sample>> = each.collect::<Outcome<_>>()?;
            Ok(found.into_iter().flatten().collect())
        })
    }
}
