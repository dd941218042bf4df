//! `paser eval`: a model's perplexity by a named protocol, or log-likelihoods of given requests.

use std::path::PathBuf;

use clap::Args;
use paser_engine::{ModelKind, model_folder};
use paser_eval::{Asked, Profile, Protocol, Request};
use paser_model::{Checkpoint, Decoder};
use paser_protocol::Report;
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use crate::exit::{OrTell, unusable, usage};
use crate::output::{Output, thousands};
use crate::progress::Progress;

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  paser eval ./pruned --perplexity llm-pruner-128 --text wikitext2.txt\n  paser eval ./pruned --requests requests.jsonl --profile llm-pruner-2023"
)]
pub struct EvalArgs {
    /// Folder or hub id of the model.
    #[arg(value_name = "MODEL")]
    model: String,
    /// llm-pruner-128, wikitext2-2048, maxlen or lm-eval-wikitext, over --text.
    #[arg(long, value_name = "PROTOCOL", group = "what", requires = "text")]
    perplexity: Option<String>,
    /// A text; every line that is not blank is a document.
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// JSON lines with `context` and `continuation`, each of which gets its log-likelihood.
    #[arg(long, value_name = "FILE", group = "what")]
    requests: Option<PathBuf>,
    /// How requests become tokens: lm-eval-current or llm-pruner-2023.
    #[arg(long, value_name = "PROFILE", default_value = "lm-eval-current")]
    profile: String,
}

/// The model's own tokenizer, without a limit of its own.
fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer, Report> {
    let unreadable =
        |why: String| unusable(format!("{}: {why}", checkpoint.dir().display()), "Copy the tokenizer's files into it.");
    let path = checkpoint.tokenizer_path().ok_or_else(|| unreadable("there is no tokenizer.json".to_owned()))?;
    let mut tokenizer = Tokenizer::from_file(path).map_err(|error| unreadable(error.to_string()))?;
    tokenizer.with_truncation(None).map_err(|error| unreadable(error.to_string()))?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

pub fn run(args: &EvalArgs, threads: usize, output: Output) -> Result<(), Report> {
    let profile =
        [Profile::LmEvalCurrent, Profile::LlmPruner2023].into_iter().find(|known| known.name() == args.profile);
    let profile = profile.ok_or_else(|| {
        usage(format!("there is no profile {}", args.profile), "It is lm-eval-current or llm-pruner-2023.")
    })?;
    if args.perplexity.is_none() && args.requests.is_none() {
        return Err(usage("there is nothing to evaluate", "Give --perplexity with --text, or --requests."));
    }
    let progress = Progress::new("evaluating", "tokens");
    let folder = model_folder(&args.model, ModelKind::Model, &progress)?;
    let checkpoint = Checkpoint::open(&folder).or_tell()?;
    let decoder = Decoder::load(&checkpoint).or_tell()?;
    let tokenizer = tokenizer(&checkpoint)?;
    let threads = if threads == 0 { paser_engine::threads() } else { threads };
    let asked = Asked { decoder: &decoder, tokenizer: &tokenizer, profile, threads };
    if let (Some(name), Some(path)) = (&args.perplexity, &args.text) {
        let protocol = Protocol::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| {
            let names = Protocol::ALL.map(Protocol::name).join(", ");
            usage(format!("there is no perplexity protocol {name}"), format!("It is one of {names}."))
        })?;
        let text = fs_err::read_to_string(path).or_tell()?;
        let documents: Vec<&str> = text.split('\n').filter(|line| !line.trim().is_empty()).collect();
        let found = asked.perplexity(protocol, &documents, &progress).or_tell()?;
        drop(progress);
        let unit = if found.per_byte.is_some() { "words" } else { "tokens" };
        output.say(format!("{}: {:.4} over {} {unit}", protocol.name(), found.value, thousands(found.counted as u64)));
        output.line(&json!({
            "model": args.model, "protocol": protocol.name(), "perplexity": found.value, "byte_perplexity": found.per_byte,
            "windows": found.windows, "counted": found.counted,
        }));
        return Ok(());
    }
    let Some(path) = &args.requests else { return Ok(()) };
    let text = fs_err::read_to_string(path).or_tell()?;
    let mut pairs = Vec::new();
    for (number, line) in text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let bad = |what: &str| usage(format!("{}:{}: {what}", path.display(), number + 1), "");
        let row: Value = serde_json::from_str(line).map_err(|error| bad(&error.to_string()))?;
        let field =
            |key: &str| row[key].as_str().map(str::to_owned).ok_or_else(|| bad(&format!("there is no text `{key}`")));
        pairs.push((field("context")?, field("continuation")?));
    }
    let requests: Vec<Request<'_>> =
        pairs.iter().map(|(context, continuation)| Request { context, continuation }).collect();
    let found = asked.log_likelihoods(&requests, &progress).or_tell()?;
    drop(progress);
    for (request, found) in requests.iter().zip(&found) {
        output.say(format!("{:.4}\t{}\t{:?}", found.log_likelihood, found.is_greedy, request.continuation));
        output.line(
            &json!({ "loglikelihood": found.log_likelihood, "is_greedy": found.is_greedy, "tokens": found.tokens }),
        );
    }
    Ok(())
}
