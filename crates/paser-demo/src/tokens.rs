//! The demo's tokenizer, its chat template, and the one form in which a sample meets the model.
//!
//! Byte-level BPE of at most 1,024 entries, digits one by one. `add_prefix_space` puts a space before the
//! first word of every piece between special tokens, so that a word has one token wherever it stands.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use fs_err as fs;
use serde_json::json;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, PreTokenizerWrapper, Tokenizer, TokenizerImpl};

use crate::pool::TrainingStream;

pub const PAD: u32 = 0;
pub const BOS: u32 = 1;
pub const EOS: u32 = 2;
/// The special tokens, in the order of their ids.
pub const SPECIALS: [&str; 4] = ["<pad>", "<s>", "</s>", "<|assistant|>"];
/// The most entries the vocabulary may have.
pub const VOCABULARY: usize = 1024;

/// Renders a user turn, the assistant's mark, and the assistant's turn. A line break inside the user turn is
/// followed by a space, so that the first word of a line has the token it has elsewhere.
pub const CHAT_TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}\
{% if message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}{{ eos_token }}\
{% else %}{{ message['content'] | replace('\\n', '\\n ') }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}<|assistant|>{% endif %}";

/// The prompt as [`CHAT_TEMPLATE`] renders it with a generation prompt, from `<s>` to `<|assistant|>`.
pub fn prompt(instruction: &str, input: &str) -> String {
    let user = if input.is_empty() { instruction.to_owned() } else { format!("{instruction}\n{input}") };
    format!("<s>{}<|assistant|>", user.replace('\n', "\n "))
}

/// A sample as the model sees it: tokens, and how many of them are prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequenced {
    /// Prompt, answer and `</s>`.
    pub ids: Vec<u32>,
    /// Tokens of the prompt, `<s>` and `<|assistant|>` included; at least 1.
    pub prompt: usize,
}

/// Prompt, answer and end token of one sample.
pub fn sequence(tokenizer: &Tokenizer, instruction: &str, input: &str, output: &str) -> Result<Sequenced> {
    let mut ids = encode(tokenizer, &prompt(instruction, input))?;
    let prompt = ids.len();
    ids.extend(encode(tokenizer, output)?);
    ids.push(EOS);
    Ok(Sequenced { ids, prompt })
}

/// Tokens of a text in which special tokens are written out; nothing is added.
pub fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let encoding = tokenizer.encode(text, false).map_err(|e| anyhow!("cannot tokenise {text:?}: {e}"))?;
    Ok(encoding.get_ids().to_vec())
}

/// Trains the tokenizer on generated text: `texts` tasks of the training stream in equal shares.
pub fn train_tokenizer(texts: usize, seed: u64) -> Result<Tokenizer> {
    let mut stream = TrainingStream::new(seed);
    let corpus: Vec<String> = (0..texts)
        .flat_map(|_| {
            let task = stream.next(&[1.0; 6]);
            let user =
                if task.input.is_empty() { task.instruction } else { format!("{}\n{}", task.instruction, task.input) };
            [user.replace('\n', "\n "), task.output]
        })
        .collect();
    let failed = |e: tokenizers::Error| anyhow!("the tokenizer could not be trained: {e}");
    let specials: Vec<AddedToken> = SPECIALS.iter().map(|s| AddedToken::from(*s, true).normalized(false)).collect();
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(VOCABULARY)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(alphabet.into_iter().collect())
        .special_tokens(specials.clone())
        .build();
    let mut tokenizer: TokenizerImpl<
        BPE,
        tokenizers::NormalizerWrapper,
        PreTokenizerWrapper,
        tokenizers::PostProcessorWrapper,
        tokenizers::DecoderWrapper,
    > = TokenizerImpl::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(true, false, true)),
        PreTokenizerWrapper::Digits(Digits::new(true)),
    ])));
    tokenizer.with_decoder(Some(ByteLevel::new(true, false, true)));
    tokenizer.train(&mut trainer, corpus.into_iter()).map_err(failed)?;
    tokenizer.add_special_tokens(specials).map_err(failed)?;
    tokenizer.with_post_processor(Some(
        TemplateProcessing::builder()
            .try_single("<s> $A")
            .map_err(|e| anyhow!("{e}"))?
            .special_tokens(vec![("<s>", BOS)])
            .build()
            .map_err(|e| anyhow!("{e}"))?,
    ));
    // Through its file form, so that what was trained is exactly what will be read.
    let text = tokenizer.to_string(true).map_err(failed)?;
    text.parse().map_err(failed)
}

/// Writes `tokenizer.json` and `tokenizer_config.json` into a folder.
pub fn write_tokenizer(tokenizer: &Tokenizer, folder: &Path) -> Result<()> {
    let text = tokenizer.to_string(true).map_err(|e| anyhow!("the tokenizer cannot be written: {e}"))?;
    fs::write(folder.join("tokenizer.json"), text)?;
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "clean_up_tokenization_spaces": false,
        "model_max_length": 128,
        "chat_template": CHAT_TEMPLATE,
    });
    fs::write(folder.join("tokenizer_config.json"), serde_json::to_string_pretty(&config)?)?;
    Ok(())
}

/// Reads `tokenizer.json` of a model folder.
pub fn read_tokenizer(folder: &Path) -> Result<Tokenizer> {
    let path = folder.join("tokenizer.json");
    let bytes = fs::read(&path)?;
    Tokenizer::from_bytes(bytes)
        .map_err(|e| anyhow!("{e}"))
        .with_context(|| format!("{} is not a tokenizer", path.display()))
}
