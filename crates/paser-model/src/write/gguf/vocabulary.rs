//! A model's tokenizer as llama.cpp knows it: byte-level BPE (`gpt2`) with one of the ways of cutting text that it has a name
//! for. llama.cpp cuts by that name and not by what `tokenizer.json` says, so everything else is refused with the reason.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::format::{Header, Value};
use crate::config::read_object;
use crate::{Checkpoint, ModelError};

/// llama.cpp's kinds of tokens.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// How LLaMA 3's and Qwen's `tokenizer.json` cut text; they differ in digits, three or one at a time.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Adds the tokenizer's keys.
///
/// # Errors
/// No `tokenizer.json`, a kind of tokenizer that llama.cpp would read otherwise, tokens beyond the embedding.
pub(super) fn describe(header: &mut Header, checkpoint: &Checkpoint) -> Result<(), ModelError> {
    let dir = checkpoint.dir();
    let advice = "GGUF holds the tokenizer, too: save it as tokenizer.json with transformers.";
    let file = read_object(dir, "tokenizer.json", advice)?;
    let path = dir.join("tokenizer.json");
    let refused = |reason: String| ModelError::Tokenizer {
        path: path.clone(),
        reason: format!("{reason}, which llama.cpp would read otherwise. Write the weights as safetensors."),
    };
    let reader = Reader { file: &file };
    let model = reader.model().map_err(&refused)?;
    let pre = reader.pre_tokenizer(model).map_err(&refused)?;
    reader.normalizer(pre).map_err(&refused)?;
    let (begin, end) = reader.added_around().map_err(&refused)?;
    let spec = checkpoint.spec();
    let (tokens, kinds) = reader.tokens(model, spec.vocab).map_err(&refused)?;
    header.add("tokenizer.ggml.model", Value::Text("gpt2".to_owned()));
    header.add("tokenizer.ggml.pre", Value::Text(pre.to_owned()));
    header.add("tokenizer.ggml.tokens", Value::Texts(tokens));
    header.add("tokenizer.ggml.token_type", Value::I32s(kinds));
    header.add("tokenizer.ggml.merges", Value::Texts(merges(model).map_err(&refused)?));
    // What the tokenizer puts before a text is the begin token, whatever the configuration calls so.
    let ids = [
        ("tokenizer.ggml.bos_token_id", begin.or(spec.bos_token)),
        ("tokenizer.ggml.eos_token_id", end.or(spec.eos_tokens.first().copied())),
        ("tokenizer.ggml.padding_token_id", spec.pad_token),
    ];
    for (key, id) in ids {
        if let Some(id) = id.filter(|id| (*id as usize) < spec.vocab) {
            header.add(key, Value::U32(id));
        }
    }
    header.add("tokenizer.ggml.add_bos_token", Value::Bool(begin.is_some()));
    header.add("tokenizer.ggml.add_eos_token", Value::Bool(end.is_some()));
    if let Some(template) = chat_template(dir)? {
        header.add("tokenizer.chat_template", Value::Text(template));
    }
    Ok(())
}

struct Reader<'a> {
    file: &'a Map<String, Json>,
}

impl<'a> Reader<'a> {
    fn part(&self, key: &str) -> Option<&'a Json> {
        self.file.get(key).filter(|part| !part.is_null())
    }

    fn model(&self) -> Result<&'a Json, String> {
        let model = self.part("model").ok_or("it has no model")?;
        let kind = kind_of(model).unwrap_or("BPE");
        if kind != "BPE" {
            return Err(format!("its model is {kind}, and only byte-level BPE is written"));
        }
        let on = |key: &str| model.get(key).is_some_and(|value| value.as_bool() == Some(true));
        let some = |key: &str| model.get(key).and_then(Json::as_str).is_some_and(|text| !text.is_empty());
        if on("byte_fallback") {
            return Err("its BPE falls back to bytes (SentencePiece)".to_owned());
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if some(key) {
                return Err(format!("its BPE has a {key}"));
            }
        }
        Ok(model)
    }

    /// llama.cpp's name for the way text is cut before merging.
    fn pre_tokenizer(&self, model: &Json) -> Result<&'static str, String> {
        let Some(part) = self.part("pre_tokenizer") else {
            return Err("it does not cut text before merging".to_owned());
        };
        let steps: Vec<&Json> = match part.get("pretokenizers").and_then(Json::as_array) {
            Some(steps) => steps.iter().collect(),
            None => vec![part],
        };
        let Some((bytes, before)) = steps.split_last().filter(|(last, _)| kind_of(last) == Some("ByteLevel")) else {
            return Err("it is not byte-level in its last step".to_owned());
        };
        // Where the file does not say, the library's defaults hold: both are true.
        let switch = |step: &Json, key: &str| step.get(key).and_then(Json::as_bool).unwrap_or(true);
        if switch(bytes, "add_prefix_space") {
            return Err("it puts a space before every text".to_owned());
        }
        let own_cut = switch(bytes, "use_regex");
        let merges_first = model.get("ignore_merges").and_then(Json::as_bool) != Some(true);
        match before {
            [] if own_cut => Ok("gpt-2"),
            [digits]
                if own_cut
                    && kind_of(digits) == Some("Digits")
                    && digits.get("individual_digits").and_then(Json::as_bool) == Some(true) =>
            {
                Ok("smollm")
            }
            [split] if !own_cut && kind_of(split) == Some("Split") => {
                let pattern = split.get("pattern").and_then(|pattern| pattern.get("Regex")).and_then(Json::as_str);
                let isolated = split.get("behavior").and_then(Json::as_str) == Some("Isolated");
                let inverted = split.get("invert").and_then(Json::as_bool) == Some(true);
                match pattern.filter(|_| isolated && !inverted) {
                    Some(LLAMA3) if !merges_first => Ok("llama-bpe"),
                    Some(LLAMA3) => Err("it cuts text as LLaMA 3 does and merges words that are tokens".to_owned()),
                    Some(QWEN2) => Ok("qwen2"),
                    other => Err(format!("it cuts text by the pattern {:?}", other.unwrap_or("of another kind"))),
                }
            }
            _ => Err("it cuts text in steps that are none of GPT-2's, SmolLM's, LLaMA 3's and Qwen's".to_owned()),
        }
    }

    /// llama.cpp does not normalise; its converter lets Qwen's NFC pass, and so does this.
    fn normalizer(&self, pre: &str) -> Result<(), String> {
        match self.part("normalizer").and_then(kind_of) {
            None if self.part("normalizer").is_none() => Ok(()),
            Some("NFC") if pre == "qwen2" => Ok(()),
            kind => Err(format!("its normalizer is {}", kind.unwrap_or("of an unknown kind"))),
        }
    }

    /// The tokens that are put before and behind every text.
    fn added_around(&self) -> Result<(Option<u32>, Option<u32>), String> {
        let Some(part) = self.part("post_processor") else { return Ok((None, None)) };
        let steps: Vec<&Json> = match part.get("processors").and_then(Json::as_array) {
            Some(steps) => steps.iter().collect(),
            None => vec![part],
        };
        let mut around = (None, None);
        for step in steps {
            match kind_of(step) {
                Some("ByteLevel") => {}
                Some("TemplateProcessing") => around = template(step)?,
                kind => return Err(format!("its post-processor is {}", kind.unwrap_or("of an unknown kind"))),
            }
        }
        Ok(around)
    }

    /// Every token of the embedding by its id, and its kind.
    fn tokens(&self, model: &Json, vocab: usize) -> Result<(Vec<String>, Vec<i32>), String> {
        let mut tokens: Vec<Option<(String, i32)>> = vec![None; vocab];
        let mut enter = |id: Option<u64>, token: &str, kind: i32| {
            let place = id.and_then(|id| usize::try_from(id).ok()).and_then(|id| tokens.get_mut(id));
            let place = place.ok_or_else(|| format!("its token {token:?} has no row in the embedding of {vocab}"))?;
            *place = Some((token.to_owned(), kind));
            Ok::<_, String>(())
        };
        let words = model.get("vocab").and_then(Json::as_object).ok_or("its model has no vocab")?;
        for (token, id) in words {
            enter(id.as_u64(), token, NORMAL)?;
        }
        for added in self.part("added_tokens").and_then(Json::as_array).into_iter().flatten() {
            let token = added.get("content").and_then(Json::as_str).ok_or("an added token has no content")?;
            let special = added.get("special").and_then(Json::as_bool) == Some(true);
            enter(added.get("id").and_then(Json::as_u64), token, if special { CONTROL } else { USER_DEFINED })?;
        }
        // Rows that only pad the embedding still need a name of their own.
        let named = tokens.into_iter().enumerate().map(|(id, token)| token.unwrap_or((format!("[PAD{id}]"), UNUSED)));
        Ok(named.unzip())
    }
}

fn kind_of(part: &Json) -> Option<&str> {
    part.get("type").and_then(Json::as_str)
}

/// `<s> A` or `A </s>` or both, one token on each side.
fn template(step: &Json) -> Result<(Option<u32>, Option<u32>), String> {
    let pieces = step.get("single").and_then(Json::as_array).ok_or("its post-processor has no template")?;
    let special = |piece: &Json| -> Option<u32> {
        let name = piece.get("SpecialToken")?.get("id")?.as_str()?;
        let ids = step.get("special_tokens")?.get(name)?.get("ids")?.as_array()?;
        match ids.as_slice() {
            [id] => u32::try_from(id.as_u64()?).ok(),
            _ => None,
        }
    };
    let text = |piece: &Json| piece.get("Sequence").is_some();
    let known = match pieces.as_slice() {
        [only] if text(only) => Some((None, None)),
        [first, second] if text(second) => special(first).map(|id| (Some(id), None)),
        [first, second] if text(first) => special(second).map(|id| (None, Some(id))),
        [first, middle, last] if text(middle) => special(first).zip(special(last)).map(|(a, b)| (Some(a), Some(b))),
        _ => None,
    };
    known.ok_or_else(|| "it puts several tokens around a text".to_owned())
}

/// `a b` for each merge, in their order.
fn merges(model: &Json) -> Result<Vec<String>, String> {
    let list = model.get("merges").and_then(Json::as_array).ok_or("its model has no merges")?;
    let merge = |merge: &Json| match merge {
        Json::String(text) => Some(text.clone()),
        Json::Array(pair) => match pair.as_slice() {
            [Json::String(left), Json::String(right)] => Some(format!("{left} {right}")),
            _ => None,
        },
        _ => None,
    };
    list.iter().map(|entry| merge(entry).ok_or_else(|| format!("its merge {entry} is no pair"))).collect()
}

fn chat_template(dir: &Path) -> Result<Option<String>, ModelError> {
    let path = dir.join("chat_template.jinja");
    if path.is_file() {
        return fs_err::read_to_string(&path).map(Some).map_err(ModelError::io(path));
    }
    if !dir.join("tokenizer_config.json").is_file() {
        return Ok(None);
    }
    let config = read_object(dir, "tokenizer_config.json", "")?;
    Ok(config.get("chat_template").and_then(Json::as_str).map(str::to_owned))
}
