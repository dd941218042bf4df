//! Concepts against `rake-nltk` itself (golden/make_rake.py) and the numbering of concepts.
#![allow(clippy::unwrap_used)]

use paser_select::{Concepts, PerSample, intern_concepts, rake, sample_concepts};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    text: String,
    ranked: Vec<(f64, String)>,
}

#[test]
fn phrases_scores_and_order_are_those_of_rake_nltk() {
    let golden: Vec<Golden> = serde_json::from_str(include_str!("golden/rake.json")).unwrap();
    assert!(golden.len() > 10);
    for case in golden {
        let ranked = rake(&[&case.text]);
        let phrases = |list: &[(f64, String)]| list.iter().map(|(_, phrase)| phrase.clone()).collect::<Vec<_>>();
        assert_eq!(phrases(&ranked), phrases(&case.ranked), "{:?}", case.text);
        for ((score, phrase), (expected, _)) in ranked.iter().zip(&case.ranked) {
            assert!((score - expected).abs() < 1e-12 * expected, "{phrase}: {score} against {expected}");
        }
    }
}

#[test]
fn phrases_do_not_cross_parts_and_all_parts_share_the_word_scores() {
    let ranked = rake(&["green tea", "leaves", "green"]);
    assert_eq!(ranked, [(3.5, "green tea".to_owned()), (1.5, "green".to_owned()), (1.0, "leaves".to_owned())]);
}

#[test]
fn literal_concepts_are_all_phrases_once() {
    let literal = Concepts { per_sample: PerSample::All, ..Concepts::default() };
    let text = "Cats, 12, cats; unusually long phrase without stops inside, dogs";
    let concepts = sample_concepts(&[text], &literal);
    assert_eq!(concepts, ["unusually long phrase without stops inside", "dogs", "cats", "12"]);
}

#[test]
fn numbers_of_concepts_do_not_depend_on_the_order_of_samples() {
    let samples = [["Red apples and green pears", "", "blue"], ["green pears", "in", "rain"], ["", "", ""]];
    let concepts = Concepts::default();
    let mut lists: Vec<Vec<String>> = samples.iter().map(|parts| sample_concepts(parts, &concepts)).collect();
    let forward = intern_concepts(lists.clone());
    lists.reverse();
    let backward = intern_concepts(lists);
    assert_eq!(forward.names, backward.names);
    assert_eq!(forward.names, ["blue", "green pear", "rain", "red apple"]);
    assert_eq!(forward.samples, [vec![3, 1, 0], vec![1, 2], vec![]]);
    assert_eq!(forward.samples, backward.samples.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(intern_concepts(Vec::new()).names.len(), 0);
}

proptest! {
    #[test]
    fn any_text_gives_few_short_distinct_concepts(text in "\\PC{0,200}", words in "([a-zA-Z0-9.!?'\"()\\n ]|the |and ){0,200}") {
        let concepts = Concepts::default();
        let found = sample_concepts(&[&text, &words], &concepts);
        prop_assert!(found.len() <= 5);
        for (position, concept) in found.iter().enumerate() {
            prop_assert!(concept.split(' ').count() <= 4);
            prop_assert!(concept.chars().any(char::is_alphabetic));
            prop_assert!(!found[..position].contains(concept));
        }
        let scores: Vec<f64> = rake(&[&text, &words]).into_iter().map(|(score, _)| score).collect();
        prop_assert!(scores.is_sorted_by(|a, b| a >= b));
    }
}
