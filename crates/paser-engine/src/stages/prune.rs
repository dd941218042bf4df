//! Makes the pruned model of a recipe that asks for one: a folder under `models/`, named by everything that decides
//! it (method.md, the pruned model of a pair).

use std::path::Path;

use paser_data::{Encoding, Template, Tokenizer, encode_sample};
use paser_model::Checkpoint;
use paser_project::{Inputs, recipe::Recipe};
use paser_prune::{Method, PruneParams, prune};

use super::{Bench, import};
use crate::{
    sources::ModelFacts,
    trouble::{Outcome, Told, unusable, usage},
};

const VERSION: u32 = 1;

/// Everything that decides the pruned weights.
pub(crate) fn inputs(recipe: &Recipe, dense: &ModelFacts, samples: &str) -> Inputs {
    let inputs = Inputs::new()
        .with("program's pruning", VERSION)
        .with("dense model", &dense.content)
        .with("prune.method", &recipe.prune.method)
        .with("prune.pattern", &recipe.prune.pattern);
    if recipe.prune.method != "wanda" {
        return inputs;
    }
    inputs
        .with("samples", samples)
        .with("prune.calibration", recipe.prune.calibration)
        .with("template", &recipe.template.name)
        .with("template.max_tokens", recipe.template.max_tokens)
        .with("tokenizer", dense.tokenizer.as_deref().unwrap_or_default())
}

/// The reference under which the recipe's pruned model is known: as written, or where pruning puts it.
pub(crate) fn reference(recipe: &Recipe, dense: Option<&ModelFacts>, samples: Option<&str>) -> Option<String> {
    if recipe.prune.method == "none" {
        return (!recipe.models.pruned.is_empty()).then(|| recipe.models.pruned.clone());
    }
    let key = inputs(recipe, dense?, samples?).key();
    Some(format!("models/{}-{}", recipe.prune.method, key.get(..16)?))
}

/// Makes the model if its folder is not there.
pub(crate) fn bring_up(bench: &Bench<'_>, recipe: &Recipe, dense_dir: &Path, out: &Path) -> Outcome<()> {
    if out.is_dir() {
        return Ok(());
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

/// The first samples in content-hash order, as the models will see them.
fn calibration(bench: &Bench<'_>, recipe: &Recipe, dense_dir: &Path, context: usize) -> Outcome<Vec<Vec<u32>>> {
    let pool = import::pool(bench.session)?;
    let order = &bench.session.samples()?.order;
    let tokenizer = Tokenizer::from_model_dir(dense_dir).map_err(Told::told)?;
    let template = Template::by_name(&recipe.template.name, dense_dir).map_err(Told::told)?;
    let longest = recipe.template.max_tokens.min(context);
    let mut sequences = Vec::new();
    for &row in order.iter().filter(|row| !pool.held_out[**row as usize]) {
        if sequences.len() == recipe.prune.calibration {
            break;
        }
        let encoded = encode_sample(&pool.samples[row as usize], &template, &tokenizer, longest).map_err(Told::told)?;
        if let Encoding::Scorable(encoded) = encoded {
            sequences.push(encoded.ids);
        }
    }
    if sequences.is_empty() {
        return Err(unusable(
            "No sample of the pool can be used to calibrate the pruning.",
            "Raise template.max_tokens.",
        ));
    }
    Ok(sequences)
}
