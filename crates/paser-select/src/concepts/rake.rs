//! RAKE, as the package `rake-nltk` computes it with its default arguments: phrases are runs of tokens between stop
//! words and single punctuation marks, a word scores degree / frequency, a phrase the sum of its words (section 3 of
//! the method).

use std::borrow::Cow;
use std::collections::HashMap;

use super::stopwords::is_stopword;
use super::tokenize::{sentences, word_punctuation};

/// Ranked phrases of one document with their scores: highest first, equal scores in falling code point order, repeated
/// phrases kept. No phrase crosses from one part to the next.
pub fn rake(parts: &[&str]) -> Vec<(f64, String)> {
    let mut numbers: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let mut words: Vec<Cow<'_, str>> = Vec::new();
    // (degree, frequency) of each word: a word in a phrase of n words meets n words there, itself included.
    let mut counts: Vec<(u64, u64)> = Vec::new();
    let mut phrases: Vec<Vec<usize>> = Vec::new();
    let mut phrase: Vec<usize> = Vec::new();
    for sentence in parts.iter().flat_map(|part| sentences(part)) {
        for token in word_punctuation(sentence) {
            let token = lowercase(token);
            if is_break(&token) {
                close(&mut phrase, &mut phrases);
                continue;
            }
            let number = *numbers.entry(token).or_insert_with_key(|token| {
                words.push(token.clone());
                counts.push((0, 0));
                words.len() - 1
            });
            phrase.push(number);
        }
        close(&mut phrase, &mut phrases);
    }
    for phrase in &phrases {
        for &word in phrase {
            counts[word].0 += phrase.len() as u64;
            counts[word].1 += 1;
        }
    }
    let mut ranked: Vec<(f64, String)> = phrases
        .iter()
        .map(|phrase| {
            let score = phrase.iter().fold(0.0, |score, &word| score + counts[word].0 as f64 / counts[word].1 as f64);
            let mut text = String::new();
            for &word in phrase {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(&words[word]);
            }
            (score, text)
        })
        .collect();
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(&a.1)));
    ranked
}

fn close(phrase: &mut Vec<usize>, phrases: &mut Vec<Vec<usize>>) {
    if !phrase.is_empty() {
        phrases.push(std::mem::take(phrase));
    }
}

fn lowercase(token: &str) -> Cow<'_, str> {
    let lower = token.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if lower { Cow::Borrowed(token) } else { Cow::Owned(token.to_lowercase()) }
}

/// Stop words and single ASCII punctuation marks end a phrase; a run of several marks is a word like any other.
fn is_break(token: &str) -> bool {
    match token.as_bytes() {
        [byte] if byte.is_ascii_punctuation() => true,
        _ => is_stopword(token),
    }
}
