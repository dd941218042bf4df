//! Token values of one sample: what the models would say next, and where they differ. Models stay loaded between
//! looks, so that only the first one waits.

use std::sync::Arc;

use paser_data::{Encoded, Encoding, Template, Tokenizer, encode_sample};
use paser_model::Decoder;
use paser_protocol::{MOST_CONTINUED, Silent, TokenView, TokensView};
use paser_score::{Candidate, TokenScore, score_tokens};

use crate::{
    session::{Session, lock},
    sources::{self, Kind},
    stages::{
        import, prune,
        score::{self, Named},
    },
    trouble::{Outcome, Told, unusable, usage},
};

/// A project's models, ready to read its samples.
pub(crate) struct Pair {
    /// Contents of both models and the template's name.
    key: String,
    pub dense: Decoder,
    pub pruned: Decoder,
    pub tokenizer: Tokenizer,
    template: Template,
    longest: usize,
}

#[derive(Default)]
pub(crate) struct LoadedModels(Option<Arc<Pair>>);

impl Session {
    /// Values of every response token of a sample.
    ///
    /// # Errors
    /// No pair of models, models that are gone, a sample that cannot be scored.
    pub fn tokens(&self, row: u32) -> Outcome<TokensView> {
        let (pair, encoded) = self.encoded(row)?;
        let item = score::item(row, &encoded);
        let tokens =
            score_tokens(&pair.dense, &pair.pruned, &item, pair.tokenizer.vocabulary(), &Silent).map_err(Told::told)?;
        let response = &encoded.ids[encoded.prompt_tokens as usize..];
        let texts = pieces(&pair.tokenizer, response);
        let tokens = tokens.iter().zip(texts).map(|(token, text)| view(token, text, &pair.tokenizer)).collect();
        let continue_seconds = self.continue_seconds(&pair, encoded.prompt_tokens as usize, MOST_CONTINUED as usize);
        Ok(TokensView { row, tokens, continue_seconds })
    }

    /// A sample as both models read it, and the models.
    pub(crate) fn encoded(&self, row: u32) -> Outcome<(Arc<Pair>, Encoded)> {
        let record = lock(&self.catalogue).sample(row).map_err(Told::told)?;
        let record = record.ok_or_else(|| usage(format!("The pool has no row {row}."), ""))?;
        let samples = self.samples()?;
        let sample = import::to_sample(record, samples.hashes[row as usize]);
        let pair = self.pair()?;
        match encode_sample(&sample, &pair.template, &pair.tokenizer, pair.longest).map_err(Told::told)? {
            Encoding::Scorable(encoded) => Ok((pair, encoded)),
            Encoding::Unscorable(reason) => Err(unusable(format!("Sample {}: {reason}", sample.id), "")),
        }
    }

    fn pair(&self) -> Outcome<Arc<Pair>> {
        let recipe = self.recipe();
        let recipe = &recipe.recipe;
        if recipe.models.dense.is_empty() {
            return Err(usage("This project has no models.", "Name a dense and a pruned model in recipe.toml."));
        }
        let find = |reference: &str| sources::find_model(&self.folder, reference, Kind::Model);
        let facts =
            |reference: &str, path: &std::path::Path| sources::model_facts(&self.catalogue, reference, path, &Silent);
        let dense_path = find(&recipe.models.dense)?;
        let dense = facts(&recipe.models.dense, &dense_path)?;
        let samples = self.samples()?;
        let reference = prune::reference(recipe, Some(&dense), Some(&samples))
            .ok_or_else(|| usage("This project has no pruned model.", "Name one in recipe.toml."))?;
        let pruned_path = find(&reference)?;
        let pruned = facts(&reference, &pruned_path)?;
        score::check_pair(
            &Named { name: &recipe.models.dense, facts: &dense, path: Some(&dense_path) },
            &Named { name: &reference, facts: &pruned, path: Some(&pruned_path) },
        )?;
        let longest = score::max_tokens(recipe, &dense, &pruned);
        let key = format!("{} {} {} {longest}", dense.content, pruned.content, recipe.template.name);
        if let Some(pair) = &lock(&self.models).0
            && pair.key == key
        {
            return Ok(pair.clone());
        }
        let pair = Arc::new(Pair {
            key,
            dense: score::load(&dense_path)?,
            pruned: score::load(&pruned_path)?,
            tokenizer: Tokenizer::from_model_dir(&dense_path).map_err(Told::told)?,
            template: Template::by_name(&recipe.template.name, &dense_path).map_err(Told::told)?,
            longest,
        });
        lock(&self.models).0 = Some(pair.clone());
        Ok(pair)
    }
}

/// The text that each token adds: a token alone may be half a character or lose its space.
fn pieces(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    let mut texts = Vec::with_capacity(ids.len());
    let mut before = String::new();
    for end in 1..=ids.len() {
        let text = tokenizer.decode(&ids[..end]).unwrap_or_default();
        let whole = text.trim_end_matches('\u{fffd}');
        let added = whole.strip_prefix(before.as_str()).map(str::to_owned);
        texts.push(added.unwrap_or_else(|| tokenizer.piece(ids[end - 1]).unwrap_or_default()));
        if whole.starts_with(before.as_str()) {
            before = whole.to_owned();
        } else {
            before = text;
        }
    }
    texts
}

fn view(token: &TokenScore, text: String, tokenizer: &Tokenizer) -> TokenView {
    let likely = |candidates: &[Candidate]| {
        candidates
            .iter()
            .map(|candidate| {
                let text = tokenizer.decode(&[candidate.id]).ok().filter(|text| !text.is_empty());
                let text = text.or_else(|| tokenizer.piece(candidate.id)).unwrap_or_default();
                (text, candidate.probability as f32)
            })
            .collect()
    };
    TokenView {
        text,
        jsd: token.jsd as f32,
        loss_dense: token.loss_dense as f32,
        loss_pruned: token.loss_pruned as f32,
        dense: likely(&token.likely_dense),
        pruned: likely(&token.likely_pruned),
    }
}
