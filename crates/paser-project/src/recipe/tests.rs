#![allow(clippy::unwrap_used)]

use std::path::Path;

use paser_protocol::{AnchorSource, Budget, Equal, Guard, PassModel, Refill, Strategy, Weight};
use proptest::prelude::*;

use super::*;

fn path() -> &'static Path {
    Path::new("p/recipe.toml")
}

fn problems(text: &str) -> Vec<String> {
    match Recipe::parse(text, path()) {
        Err(ProjectError::Recipe { problems }) => problems,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_new_writes_is_read_back_as_it_was() {
    let mut recipe = Recipe::new();
    assert_eq!(Recipe::parse(&recipe.render(), path()).unwrap(), recipe);
    recipe.name = "with \"quotes\" and \\ and\nnewline".to_owned();
    recipe.pool.hold_out = HoldOutRule::Ids(vec!["1".to_owned(), "a b".to_owned()]);
    recipe.manifold.clusters = ClusterRule::Fixed(12);
    recipe.manifold.alpha = 0.5;
    recipe.concepts.per_sample = None;
    recipe.models.dense = "dense".to_owned();
    recipe.models.pruned = "a".to_owned();
    recipe.models.others = vec!["models/b".to_owned(), "org/c@main".to_owned()];
    recipe.checks.near_duplicates = 0.0;
    recipe.checks.benchmarks = vec!["eval/arc easy.jsonl".to_owned(), "C:\\x.txt".to_owned()];
    recipe.selections[0].plan = SelectionPlan {
        strategy: Strategy::PaserNoNtem,
        budget: Budget::Tokens(2_000_000),
        guard: Guard::Tukey,
        concepts: ConceptRule { on: false, strictness: 0.25 },
        refill: Refill::None,
        weight: Weight::CdsXSize,
        damage: paser_protocol::Damage::AfterFirstToken,
        seed: 9,
    };
    assert_eq!(Recipe::parse(&recipe.render(), path()).unwrap(), recipe);
    for hold_out in [HoldOutRule::None, HoldOutRule::Share(0.05), HoldOutRule::MultiplesOf(50)] {
        recipe.pool.hold_out = hold_out;
        assert_eq!(Recipe::parse(&recipe.render(), path()).unwrap(), recipe);
    }
}

#[test]
fn every_field_is_written_with_its_comment() {
    let text = Recipe::new().render();
    for field in fields::FIELDS.iter().chain(fields::SELECTION_FIELDS) {
        assert!(text.contains(&format!("\n{} = ", field.key)), "{}", field.key);
    }
    assert!(text.lines().all(|line| line.len() <= 120), "too wide");
}

#[test]
fn a_wrong_value_names_file_line_key_and_what_is_allowed() {
    let text = Recipe::new().render();
    let line = 1 + text.lines().position(|line| line.starts_with("neighbours = ")).unwrap();
    let found = problems(&text.replace("neighbours = 15", "neighbours = 1"));
    assert_eq!(found, [format!("p/recipe.toml:{line}: `neighbours` must be a whole number from 2 to 100, not 1")]);
    let found = problems(&text.replace("name = \"alpaca\"", "name = \"vicuna\""));
    assert!(found[0].contains("alpaca | plain | chat, not \"vicuna\""), "{found:?}");
    let found = problems(&text.replace("budget = \"20%\"", "budget = \"a fifth\""));
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn unknown_missing_and_repeated_keys_are_errors() {
    let text = Recipe::new().render();
    let found = problems(&text.replace("candidates = 30", "candidate = 30"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|problem| problem.contains("there is no key `candidate` in [manifold]")), "{found:?}");
    assert!(found.iter().any(|problem| problem.contains("the usual line is `candidates = 30`")), "{found:?}");
    assert!(problems(&text.replace("[score]", "[scores]")).iter().any(|p| p.contains("no section [scores]")));
    assert!(problems(&format!("{text}\n[[selections]]\nname = \"paser-20\"\n")).iter().any(|p| p.contains("twice")));
    assert!(problems(&text.replace("seed = 0", "seed = 0\nseed = 1"))[0].contains("recipe.toml:"));
    assert!(problems("not toml at all [")[0].starts_with("p/recipe.toml:1:"));
}

#[test]
fn fields_that_contradict_each_other_are_found() {
    let text = Recipe::new().render();
    assert!(problems(&text.replace("candidates = 30", "candidates = 5"))[0].contains("at least `neighbours`"));
    assert!(problems(&text.replace("instruction = \"auto\"", "instruction = \"q\""))[0].contains("all four"));
    assert!(problems(&text.replace("method = \"none\"", "method = \"wanda\""))[0].contains("models.dense"));
}

#[test]
fn a_recipe_from_before_the_checks_gets_their_defaults_and_knows_it() {
    let mut recipe = Recipe::new();
    let text = recipe.render();
    let (head, tail) = (text.find("# What to look for").unwrap(), text.find("# Selections that every run").unwrap());
    let old = format!("{}{}", &text[..head], &text[tail..]);
    assert!(!old.contains("[checks]"));
    recipe.checks.assumed = true;
    assert_eq!(Recipe::parse(&old, path()).unwrap(), recipe);
    assert_eq!((recipe.checks.near_duplicates, recipe.checks.benchmarks.len()), (0.8, 0));
    // A section that is there has to be whole.
    assert!(problems(&text.replace("benchmarks = []", ""))[0].contains("`benchmarks` is missing in [checks]"));
    assert!(problems(&text.replace("benchmarks = []", "benchmarks = \"a\""))[0].contains("a list of files"));
    assert!(problems(&text.replace("near_duplicates = 0.8", "near_duplicates = 0.3"))[0].contains("0.5 to 1"));
}

#[test]
fn one_value_changes_and_the_rest_stays_to_the_byte() {
    let text = format!("{}\n# my own remark\n", Recipe::new().render());
    let changed = Recipe::with_value(&text, "manifold", "clusters", "12", path()).unwrap();
    assert_eq!(changed, text.replace("clusters = \"automatic\"", "clusters = 12"));
    assert!(Recipe::with_value(&text, "manifold", "clusters", "0", path()).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[\\[\\]a-z_=\"0-9.\\n{},# ]{0,200}") {
        let _ = Recipe::parse(&text, path());
    }
}

#[test]
fn benchmarks_are_named_in_any_recipe_and_the_rest_stays() {
    let path = Path::new("recipe.toml");
    let mut recipe = Recipe::new();
    recipe.pool.path = "pool.jsonl".to_owned();
    let whole = recipe.render();
    let files = ["a \"quoted\" file.jsonl".to_owned(), "eval/arc.jsonl".to_owned()];
    let changed = Recipe::with_benchmarks(&whole, &files, path).unwrap();
    assert_eq!(Recipe::parse(&changed, path).unwrap().checks.benchmarks, files);
    // One of an earlier version, which has no such section.
    let start = whole.find("[checks]").unwrap();
    let end = start
        + whole[start..].find("\n[[").or_else(|| whole[start..].find("\n# Selections")).unwrap_or(whole.len() - start);
    let older = format!("{}{}", &whole[..start], &whole[end..]);
    assert!(Recipe::parse(&older, path).unwrap().checks.assumed);
    let changed = Recipe::with_benchmarks(&older, &files, path).unwrap();
    let read = Recipe::parse(&changed, path).unwrap();
    assert!(!read.checks.assumed && read.checks.benchmarks == files && changed.starts_with(older.trim_end()));
    let none = Recipe::with_benchmarks(&changed, &[], path).unwrap();
    assert!(Recipe::parse(&none, path).unwrap().checks.benchmarks.is_empty());
}

#[test]
fn strategies_are_set_in_any_recipe_and_the_rest_stays() {
    let mut recipe = Recipe::new();
    recipe.pool.path = "pool.jsonl".to_owned();
    let whole = recipe.render();
    assert_eq!(Recipe::parse(&whole, path()).unwrap().strategies, StrategySettings::default());
    let settings = StrategySettings {
        ifd_model: PassModel::Pruned,
        filter_model: "org/\"small\"".to_owned(),
        nuggets_model: PassModel::Pruned,
        nuggets_anchors: 12,
        nuggets_from: AnchorSource::Holdout,
    };
    let changed = Recipe::with_strategies(&whole, &settings, path()).unwrap();
    assert_eq!(Recipe::parse(&changed, path()).unwrap(), Recipe { strategies: settings.clone(), ..recipe.clone() });
    let one = StrategySettings { nuggets_anchors: 7, ..StrategySettings::default() };
    let changed = Recipe::with_strategies(&whole, &one, path()).unwrap();
    assert_eq!(changed, whole.replace("nuggets_anchors = 100", "nuggets_anchors = 7"));
    // One of an earlier version has no such section, and its defaults until then.
    let (start, end) =
        (whole.find("# Strategies that read").unwrap(), whole.find("# Selections that every run").unwrap());
    let older = format!("{}{}", &whole[..start], &whole[end..]);
    assert_eq!(Recipe::parse(&older, path()).unwrap(), recipe);
    let changed = Recipe::with_strategies(&older, &settings, path()).unwrap();
    assert!(changed.starts_with(older.trim_end()));
    assert_eq!(Recipe::parse(&changed, path()).unwrap().strategies, settings);
    let too_many = StrategySettings { nuggets_anchors: 5000, ..settings };
    assert!(Recipe::with_strategies(&whole, &too_many, path()).is_err());
}

#[test]
fn pruned_models_change_places_and_recipes_without_others_still_open() {
    let mut recipe = Recipe::new();
    recipe.models.dense = "dense".to_owned();
    recipe.models.pruned = "a".to_owned();
    let whole = recipe.render();
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let changed = Recipe::with_pruned(&whole, "b", &named(&["a", "models/c"]), path()).unwrap();
    let expected = whole.replace("pruned = \"a\"", "pruned = \"b\"");
    assert_eq!(changed, expected.replace("others = []", "others = [\"a\", \"models/c\"]"));
    // One of an earlier version has no such line: it is what it was, and gets the line when there is something to say.
    let older = whole.replace("others = []\n", "");
    assert_eq!(Recipe::parse(&older, path()).unwrap(), recipe);
    let changed = Recipe::with_pruned(&older, "b", &named(&["a"]), path()).unwrap();
    assert_eq!(changed, older.replace("pruned = \"a\"", "pruned = \"b\"\nothers = [\"a\"]"));
    // A loaded one takes the place of one that is made here.
    let made = whole.replace("pruned = \"a\"", "pruned = \"\"").replace("method = \"none\"", "method = \"magnitude\"");
    let read = Recipe::parse(&Recipe::with_pruned(&made, "b", &named(&["models/m"]), path()).unwrap(), path()).unwrap();
    assert_eq!((read.prune.method.as_str(), read.models.pruned.as_str()), ("none", "b"));
    for (others, word) in [(&["b", "b"][..], "twice"), (&["a"], "twice"), (&["dense"], "dense model itself")] {
        let Err(ProjectError::Recipe { problems }) = Recipe::with_pruned(&whole, "a", &named(others), path()) else {
            panic!("{others:?}")
        };
        assert!(problems[0].contains(word), "{problems:?}");
    }
    assert!(problems(&whole.replace("others = []", "others = [\"\"]"))[0].contains("a list of models"));
    let lone = whole.replace("pruned = \"a\"", "pruned = \"\"").replace("others = []", "others = [\"b\"]");
    assert!(problems(&lone)[0].contains("without `pruned`"));
}

fn arm(name: &str) -> ArmPlan {
    ArmPlan {
        name: name.to_owned(),
        data: ArmData::Selection { name: "paser-20".to_owned() },
        seeds: vec![1, 2],
        equal: None,
        learning_rate: Some(0.002),
        steps: None,
    }
}

#[test]
fn arms_and_settings_of_the_recovery_change_in_the_text_and_nothing_else_does() {
    let path = Path::new("recipe.toml");
    let text = Recipe::new().render().replace("seed = 0", "seed = 0 # mine");
    let pilot =
        ArmPlan { data: ArmData::Cluster { cluster: 3 }, equal: Some(Equal::Epochs), steps: Some(9), ..arm("b") };
    let with = Recipe::with_arms(&text, &[arm("a"), pilot.clone()], path).unwrap();
    let read = Recipe::parse(&with, path).unwrap();
    assert_eq!(read.arms, [arm("a"), pilot]);
    assert_eq!(Recipe { arms: Vec::new(), ..read.clone() }, Recipe::parse(&text, path).unwrap());
    assert_eq!(
        Recipe::with_arms(&with, &[], path).unwrap().trim_end(),
        text.trim_end(),
        "what was written is gone again"
    );
    let settings = RecoverSettings { learning_rate: 0.5, items: vec!["a.jsonl".to_owned()], ..read.recover };
    let changed = Recipe::with_recover(&with, &settings, path).unwrap();
    assert_eq!(Recipe::parse(&changed, path).unwrap().recover, settings);
    assert!(changed.contains("seed = 0 # mine"));
}

#[test]
fn a_recipe_of_an_earlier_version_gets_its_section_before_its_arms() {
    let path = Path::new("recipe.toml");
    let whole = Recipe::with_arms(&Recipe::new().render(), &[arm("a")], path).unwrap();
    let from = whole.find("# How the arms are trained").unwrap();
    let to = whole[from..].find("# Selections that every run").unwrap() + from;
    let earlier = format!("{}{}", &whole[..from], &whole[to..]);
    assert_eq!(Recipe::parse(&earlier, path).unwrap().recover, Recipe::new().recover);
    let settings = RecoverSettings { steps: 7, ..Recipe::new().recover };
    let changed = Recipe::with_recover(&earlier, &settings, path).unwrap();
    let read = Recipe::parse(&changed, path).unwrap();
    assert_eq!((read.recover.steps, read.arms.len()), (7, 1));
}

#[test]
fn an_arm_that_cannot_be_meant_is_told_by_its_line() {
    let path = Path::new("recipe.toml");
    let text = Recipe::with_arms(&Recipe::new().render(), &[arm("a")], path).unwrap();
    for (from, to, told) in [
        ("data = \"selection paser-20\"", "data = \"samples\"", "`data` must be"),
        ("seeds = [1, 2]", "seeds = [1, 1]", "different whole numbers"),
        ("seeds = [1, 2]", "seeds = []", "different whole numbers"),
        ("learning_rate = 0.002", "learning_rate = \"fast\"", "\"shared\", or a number"),
        ("name = \"a\"", "name = \"\"", "an arm needs a name"),
    ] {
        assert!(text.contains(from), "{from}");
        let problems = Recipe::parse(&text.replace(from, to), path).unwrap_err().to_string();
        assert!(problems.contains(told) && problems.contains("recipe.toml:"), "{problems}");
    }
}
