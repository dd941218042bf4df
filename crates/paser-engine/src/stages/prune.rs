//! Makes the pruned model of a recipe that asks for one: a folder under `models/`, named by everything that decides
//! it (method.md, the pruned model of a pair).

use std::path::Path;

use paser_data::{Encoding, Pool, Template, Tokenizer, encode_sample};
use paser_model::Checkpoint;
use paser_project::{Inputs, recipe::Recipe};
use paser_prune::{Method, PruneParams, prune};

use super::{Bench, import, score::template_fingerprint};
use crate::{
    loaded::Samples,
    sources::ModelFacts,
    trouble::{Outcome, Told, unusable, usage},
};

const VERSION: u32 = 1;
/// What pruning leaves beside the weights.
const NOTE: &str = "paser-prune.json";

/// Everything that decides the pruned weights. Wanda reads samples that are not held out, as the template shows them.
pub(crate) fn inputs(recipe: &Recipe, dense: &ModelFacts, samples: &Samples) -> Inputs {
    let inputs = Inputs::new()
        .with("program's pruning", VERSION)
        .with("dense model", &dense.content)
        .with("prune.method", &recipe.prune.method)
        .with("prune.pattern", &recipe.prune.pattern);
    if recipe.prune.method != "wanda" {
        return inputs;
    }
    inputs
        .with("samples", &samples.fingerprint)
        .with("held-out samples", &samples.held_out_fingerprint)
        .with("prune.calibration", recipe.prune.calibration)
        .with("template", template_fingerprint(recipe, dense))
        .with("template.max_tokens", recipe.template.max_tokens)
        .with("tokenizer", dense.tokenizer.as_deref().unwrap_or_default())
}

/// The reference under which the recipe's pruned model is known: as written, or where pruning puts it.
pub(crate) fn reference(recipe: &Recipe, dense: Option<&ModelFacts>, samples: Option<&Samples>) -> Option<String> {
    if recipe.prune.method == "none" {
        return (!recipe.models.pruned.is_empty()).then(|| recipe.models.pruned.clone());
    }
    let key = inputs(recipe, dense?, samples?).key();
    Some(format!("models/{}-{}", recipe.prune.method, key.get(..16)?))
}

/// Whether the model in `out` is whole: the note that is written last says what the recipe asks for, and every tensor
/// that the configuration needs is there.
pub(crate) fn is_made(recipe: &Recipe, out: &Path) -> bool {
    let note: Option<serde_json::Value> =
        fs_err::read(out.join(NOTE)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let says = |name: &str, value: &str| {
        note.as_ref().and_then(|note| note.get(name)?.as_str()).is_some_and(|written| written == value)
    };
    says("method", &recipe.prune.method) && Checkpoint::open(out).is_ok()
}

/// Makes the model anew.
pub(crate) fn make(bench: &Bench<'_>, recipe: &Recipe, dense_dir: &Path, out: &Path) -> Outcome<()> {
    bench.check_memory()?;
    if out.exists() {
        bench.notice(format!("{} is not a whole model; it is made anew", out.display()));
        fs_err::remove_dir_all(out).map_err(Told::told)?;
    }
    let params = PruneParams {
        method: if recipe.prune.method == "wanda" { Method::Wanda } else { Method::Magnitude },
        pattern: recipe.prune.pattern.parse().map_err(|error: paser_prune::PruneError| {
            usage(format!("recipe.toml: [prune] pattern: {error}"), "Write a share such as 0.5, 2:4 or 4:8.")
        })?,
    };
    let checkpoint = Checkpoint::open(dense_dir).map_err(Told::told)?;
    let calibration = if params.method == Method::Wanda {
        calibration(bench, recipe, dense_dir, checkpoint.spec().context)?
    } else {
        Vec::new()
    };
    let unit = if params.method == Method::Wanda { "tokens" } else { "weights" };
    bench
        .work("pruning", unit, |monitor| prune(&checkpoint, &calibration, &params, out, monitor))
        .map_err(Told::told)?;
    Ok(())
}

/// The recipe's calibration samples as the models will see them.
fn calibration(bench: &Bench<'_>, recipe: &Recipe, dense_dir: &Path, context: usize) -> Outcome<Vec<Vec<u32>>> {
    let samples = bench.session.samples()?;
    let pool = import::pool(bench.session, &samples)?;
    let order = &samples.order;
    let tokenizer = Tokenizer::from_model_dir(dense_dir).map_err(Told::told)?;
    let template = Template::by_name(&recipe.template.name, dense_dir).map_err(Told::told)?;
    let longest = recipe.template.max_tokens.min(context);
    calibration_sequences(&pool, order, &template, &tokenizer, longest, recipe.prune.calibration)
}

/// Prompt and response of the first `count` samples that fit `longest` tokens and are not held out. `order` holds the
/// pool's rows by content hash, so that the order of the file decides nothing.
///
/// # Errors
/// No sample fits; a template that fails.
pub fn calibration_sequences(
    pool: &Pool,
    order: &[u32],
    template: &Template,
    tokenizer: &Tokenizer,
    longest: usize,
    count: usize,
) -> Outcome<Vec<Vec<u32>>> {
    let mut sequences = Vec::new();
    for &row in order.iter().filter(|row| !pool.held_out[**row as usize]) {
        if sequences.len() == count {
            break;
        }
        let encoded = encode_sample(&pool.samples[row as usize], template, tokenizer, longest).map_err(Told::told)?;
        if let Encoding::Scorable(encoded) = encoded {
            sequences.push(encoded.ids);
        }
    }
    if sequences.is_empty() {
        return Err(unusable(
            format!("No sample of the pool fits {longest} tokens, so none can calibrate the pruning."),
            "Give a pool of shorter samples, or raise template.max_tokens in a project's recipe.toml.",
        ));
    }
    Ok(sequences)
}
