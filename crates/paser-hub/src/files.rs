//! Which files of a repository a model needs. Owns patterns, safe file names and what counts as complete; the same rule
//! judges a listing of the hub and a folder of the cache.

use std::collections::BTreeSet;

/// What makes a repository a sentence encoder.
pub(crate) const POOLING: &str = "1_Pooling/config.json";

/// How badly a pattern is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// At least one file must match.
    Required,
    /// Taken where it exists.
    Optional,
    /// At least one file must match one of the weight patterns.
    Weights,
}

/// A file name in which `*` stands for any run of characters other than `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub glob: String,
    pub need: Need,
}

impl Pattern {
    pub fn new(glob: &str, need: Need) -> Self {
        Self { glob: glob.to_owned(), need }
    }

    /// Whether a file of the repository, with `/` between folders, matches.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.glob.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let parts: Vec<&str> = parts.collect();
        let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
        for part in middle {
            let Some((skipped, after)) = rest.split_once(part) else { return false };
            if skipped.contains('/') {
                return false;
            }
            rest = after;
        }
        rest.strip_suffix(last).is_some_and(|skipped| !skipped.contains('/'))
    }
}

/// What a language model consists of: configuration, tokenizer, safetensors (sharded too) with their index.
pub fn model_files() -> Vec<Pattern> {
    [
        ("config.json", Need::Required),
        ("tokenizer.json", Need::Required),
        ("tokenizer_config.json", Need::Optional),
        ("special_tokens_map.json", Need::Optional),
        ("added_tokens.json", Need::Optional),
        ("generation_config.json", Need::Optional),
        ("chat_template.jinja", Need::Optional),
        ("model.safetensors.index.json", Need::Optional),
        ("model.safetensors", Need::Weights),
        ("model-*-of-*.safetensors", Need::Weights),
    ]
    .map(|(glob, need)| Pattern::new(glob, need))
    .into()
}

/// What a sentence encoder consists of: the same with its modules, pooling and length settings. Modules and pooling are
/// required: without them vectors could be of another kind than their encoder was made for.
pub fn encoder_files() -> Vec<Pattern> {
    let mut patterns = model_files();
    let more = [
        ("modules.json", Need::Required),
        (POOLING, Need::Required),
        ("sentence_bert_config.json", Need::Optional),
        ("config_sentence_transformers.json", Need::Optional),
    ];
    patterns.extend(more.map(|(glob, need)| Pattern::new(glob, need)));
    patterns
}

/// True for a name that stays inside the folder it is joined to, on every system.
pub(crate) fn is_safe(name: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.ends_with([' ', '.']);
    name.len() <= 400 && !name.chars().any(|c| c.is_control() || "\\:*?\"<>|".contains(c)) && name.split('/').all(plain)
}

/// The names that match, in order. One whole file goes before shards of the same weights.
pub(crate) fn wanted<'a>(patterns: &[Pattern], names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: BTreeSet<&str> = names.filter(|name| patterns.iter().any(|pattern| pattern.matches(name))).collect();
    if found.contains("model.safetensors") {
        found.retain(|name| shard(name).is_none() && *name != "model.safetensors.index.json");
    }
    found.into_iter().collect()
}

/// What keeps `names` from being a whole model; `None` when nothing does.
pub(crate) fn missing(patterns: &[Pattern], names: &[&str]) -> Option<String> {
    let any = |pattern: &Pattern| names.iter().any(|name| pattern.matches(name));
    if let Some(pattern) = patterns.iter().find(|pattern| pattern.need == Need::Required && !any(pattern)) {
        return Some(pattern.glob.clone());
    }
    let weights: Vec<&Pattern> = patterns.iter().filter(|pattern| pattern.need == Need::Weights).collect();
    if !weights.is_empty() && !weights.iter().any(|pattern| any(pattern)) {
        return Some(weights.iter().map(|pattern| pattern.glob.as_str()).collect::<Vec<_>>().join(" or "));
    }
    // the name of one shard says how many there are
    for (stem, _, total) in names.iter().filter_map(|name| shard(name)) {
        for number in 1..=total {
            if !names.iter().any(|name| shard(name) == Some((stem, number, total))) {
                return Some(format!("shard {number} of {total}"));
            }
        }
    }
    None
}

/// `stem-00002-of-00005.safetensors` as (stem, 2, 5).
fn shard(name: &str) -> Option<(&str, usize, usize)> {
    let (rest, total) = name.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let total: usize = total.parse().ok()?;
    (total <= 10_000).then_some((stem, number.parse().ok()?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_inside_its_folder() {
        let matches = |glob: &str, name| Pattern::new(glob, Need::Optional).matches(name);
        assert!(matches("config.json", "config.json") && !matches("config.json", "config.json.bak"));
        assert!(matches("*.json", "a.json") && !matches("*.json", "original/a.json"));
        assert!(matches("model-*-of-*.safetensors", "model-00001-of-00002.safetensors"));
        assert!(!matches("model-*-of-*.safetensors", "model-x/1-of-2.safetensors"));
        assert!(matches("1_Pooling/*.json", "1_Pooling/config.json") && matches("*", "x") && !matches("*", "x/y"));
    }

    #[test]
    fn pickles_duplicates_and_other_formats_stay_on_the_hub() {
        let listing = [
            ".gitattributes",
            "config.json",
            "consolidated.safetensors",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.Q4_K_M.gguf",
            "model.safetensors.index.json",
            "onnx/model.onnx",
            "original/consolidated.00.pth",
            "pytorch_model.bin",
            "tokenizer.json",
        ];
        let found = wanted(&model_files(), listing.into_iter());
        assert_eq!(found, [listing[1], listing[3], listing[4], listing[6], listing[10]]);
        let both = wanted(&model_files(), ["model.safetensors"].into_iter().chain(listing));
        assert_eq!(both, ["config.json", "model.safetensors", "tokenizer.json"]);
    }

    #[test]
    fn a_missing_shard_is_seen_without_the_listing() {
        let all =
            ["config.json", "tokenizer.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        assert_eq!(missing(&model_files(), &all), None);
        assert_eq!(missing(&model_files(), &all[..3]), Some("shard 2 of 2".to_owned()));
        assert_eq!(missing(&model_files(), &all[1..]), Some("config.json".to_owned()));
        assert!(missing(&model_files(), &all[..2]).is_some_and(|missing| missing.starts_with("model.safetensors or")));
    }

    #[test]
    fn names_that_leave_the_folder_are_not_safe() {
        for name in ["config.json", "1_Pooling/config.json", "a..b", "ä.json"] {
            assert!(is_safe(name), "{name}");
        }
        for name in
            ["../x", "a/../x", "/etc/passwd", "a//b", "a\\..\\b", "C:x", "", ".", "a/.", "x\0y", "con. ", "a\nb"]
        {
            assert!(!is_safe(name), "{name}");
        }
    }
}
