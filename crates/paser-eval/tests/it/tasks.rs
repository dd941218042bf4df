//! Tasks: items of every form, answers against the harness's log-likelihoods, and complaints that name file and line.

use paser_eval::tasks::{Item, OwnForm, Row, Task, json_lines, multiple_choice, own_item};
use paser_eval::{Profile, Request};
use paser_protocol::Silent;
use serde_json::{Value, json};

use crate::support::{demo, lines, mix, params, shared, text};

fn row(value: Value) -> Row {
    let Value::Object(value) = value else { panic!("{value}") };
    Row { file: "rows.jsonl".to_owned(), line: 7, value }
}

fn item(task: Task, value: Value) -> Item {
    task.item(&row(value)).unwrap()
}

fn asked(item: &Item) -> Vec<(&str, &str)> {
    item.requests.iter().map(|request| (request.context.as_str(), request.continuation.as_str())).collect()
}

#[test]
fn forms_of_the_hub_and_plain_forms_ask_alike() {
    let pairs = [
        (
            Task::ArcChallenge,
            json!({"id": "x", "question": "Why?", "choices": {"text": ["a", "bé", "c"], "label": ["1", "2", "3"]}, "answerKey": "3"}),
            json!({"question": "Why?", "choices": ["a", "bé", "c"], "gold": 2}),
            vec![
                ("Question: Why?\nAnswer:", " a"),
                ("Question: Why?\nAnswer:", " bé"),
                ("Question: Why?\nAnswer:", " c"),
            ],
        ),
        (
            Task::OpenBookQa,
            json!({"question_stem": "Frogs eat", "choices": {"text": ["flies", "cars"], "label": ["A", "B"]}, "answerKey": " A"}),
            json!({"question": "Frogs eat", "choices": ["flies", "cars"], "gold": 0}),
            vec![("Frogs eat", " flies"), ("Frogs eat", " cars")],
        ),
        (
            Task::Piqa,
            json!({"goal": "Open it", "sol1": "pull ", "sol2": "push", "label": 1}),
            json!({"question": "Open it", "choices": ["pull ", "push"], "gold": 1}),
            vec![("Question: Open it\nAnswer:", " pull "), ("Question: Open it\nAnswer:", " push")],
        ),
        (
            Task::WinoGrande,
            json!({"sentence": "Ann saw Eve, so _ waved. ", "option1": "Ann", "option2": "Eve", "answer": "1"}),
            json!({"sentence": "Ann saw Eve, so _ waved. ", "options": ["Ann", "Eve"], "gold": 0}),
            vec![("Ann saw Eve, so Ann", " waved."), ("Ann saw Eve, so Eve", " waved.")],
        ),
        (
            Task::HellaSwag,
            json!({"activity_label": "Baking", "ctx_a": "A man mixes. [header] He stirs.", "ctx_b": "the Man", "endings": ["eats [step] it.", "runs."], "label": "1"}),
            json!({"question": "Baking: A man mixes. He stirs. The man", "choices": ["eats it.", "runs."], "gold": 1}),
            vec![
                ("Baking: A man mixes. He stirs. The man", " eats it."),
                ("Baking: A man mixes. He stirs. The man", " runs."),
            ],
        ),
    ];
    for (task, hub, plain, wanted) in pairs {
        let (hub, plain) = (item(task, hub), item(task, plain));
        assert_eq!(asked(&hub), wanted, "{}", task.name());
        assert_eq!(hub, plain, "{}", task.name());
    }
    let arc = item(Task::ArcEasy, json!({"question": "q", "choices": ["a", "bé"], "gold": "1"}));
    assert_eq!((arc.characters, arc.gold), (vec![1, 2], 1));
}

#[test]
fn boolq_is_asked_with_its_passage_where_it_has_one() {
    let hub = item(Task::BoolQ, json!({"passage": "Ice is cold.", "question": "is ice cold", "label": 1}));
    let context = "Ice is cold.\nQuestion: is ice cold?\nAnswer:";
    assert_eq!((asked(&hub), hub.gold), (vec![(context, " no"), (context, " yes")], 1));
    let first = item(Task::BoolQ, json!({"passage": "Ice is cold.", "question": "is ice cold", "answer": true}));
    assert_eq!(first, hub);
    let bare = item(Task::BoolQ, json!({"question": "is ice hot?", "gold": false}));
    assert_eq!((asked(&bare)[1], bare.gold), (("Question: is ice hot?\nAnswer:", " yes"), 0));
}

#[test]
fn a_row_that_is_no_item_is_named_with_what_it_lacks() {
    for (task, value, wanted) in [
        (
            Task::ArcEasy,
            json!({"question": "q", "choices": ["a", "b"], "gold": 2}),
            "\"gold\" is 2, but must be the number of a choice, 0 to 1",
        ),
        (Task::ArcEasy, json!({"question": "q", "choices": ["a", "b"], "gold": -1}), "\"gold\" is -1"),
        (
            Task::ArcEasy,
            json!({"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "C"}),
            "\"answerKey\" is \"C\"; the labels are A, B",
        ),
        (
            Task::ArcEasy,
            json!({"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B", "C"]}, "answerKey": "C"}),
            "2 choices, but 3 labels",
        ),
        (Task::ArcEasy, json!({"question": "q", "choices": ["a", "b"]}), "\"choices\" has no part \"text\""),
        (
            Task::OpenBookQa,
            json!({"question": "q", "answerKey": "A"}),
            "the column \"question_stem\" is missing; the row has question, answerKey",
        ),
        (Task::Piqa, json!({"goal": "g", "sol1": 3, "sol2": "b", "label": 0}), "\"sol1\" must be a text, not a number"),
        (Task::WinoGrande, json!({"sentence": "no blank", "option1": "a", "option2": "b", "answer": "1"}), "no blank"),
        (
            Task::WinoGrande,
            json!({"sentence": "a _", "option1": "a", "option2": "b", "answer": ""}),
            "\"answer\" is \"\"",
        ),
        (Task::BoolQ, json!({"question": "q"}), "the column \"label\" is missing"),
        (
            Task::HellaSwag,
            json!({"activity_label": "a", "ctx_a": "b", "ctx_b": "c", "endings": ["d"], "label": "0"}),
            "at least two texts",
        ),
        (
            Task::HellaSwag,
            json!({"activity_label": "a", "ctx_a": "b", "ctx_b": "c", "endings": ["d", "e"], "label": ""}),
            "\"label\" is \"\"",
        ),
        (
            Task::Own,
            json!({"question": "q", "choices": ["a", 2], "gold": 0}),
            "\"choices\" must be a list of at least two texts",
        ),
    ] {
        let message = task.item(&row(value)).unwrap_err().to_string();
        assert!(message.starts_with("rows.jsonl, line 7: ") && message.contains(wanted), "{message}");
    }
    assert!(
        json_lines("a.jsonl", "{}\n[1]").unwrap_err().to_string().starts_with("a.jsonl, line 2: is not a JSON object")
    );
    assert!(json_lines("a.jsonl", "{").unwrap_err().to_string().starts_with("a.jsonl, line 1: is not valid JSON"));
    let unknown = Task::from_name("mmlu").unwrap_err().to_string();
    assert!(unknown.contains("\"mmlu\"") && unknown.contains("hellaswag"), "{unknown}");
}

#[test]
fn rows_of_the_local_files_ask_what_the_harness_asked() {
    let (Some(data), Some(golden)) = (shared("data/eval"), shared("fixtures/lm-eval/loglikelihood.jsonl")) else {
        return;
    };
    let golden = lines(&golden);
    for task in [Task::ArcEasy, Task::ArcChallenge, Task::OpenBookQa, Task::Piqa, Task::WinoGrande] {
        let file = data.join(format!("{}.jsonl", task.name()));
        let rows = json_lines(task.name(), &fs_err::read_to_string(file).unwrap()).unwrap();
        let items: Vec<Item> = rows.iter().map(|row| task.item(row).unwrap()).collect();
        let of_task: Vec<&Value> = golden.iter().filter(|golden| golden["task"] == task.name()).collect();
        assert!(of_task.len() >= 200, "{}", task.name());
        for golden in of_task {
            let at = |key: &str| golden[key].as_u64().unwrap() as usize;
            let wanted = Request { context: text(golden, "context"), continuation: text(golden, "continuation") };
            assert_eq!(items[at("item")].requests[at("choice")], wanted, "{}, item {}", task.name(), at("item"));
        }
    }
    let boolq = fs_err::read_to_string(data.join("boolq_no_passage.jsonl")).unwrap();
    let rows = json_lines("boolq", &boolq).unwrap();
    assert_eq!(rows.iter().filter(|row| Task::BoolQ.item(row).is_ok()).count(), 3270);
}

#[test]
fn answers_are_those_of_the_harness_and_both_profiles_are_told_apart() {
    let (Some(model), Some(data), Some(golden)) =
        (mix(), shared("data/eval"), shared("fixtures/lm-eval/loglikelihood.jsonl"))
    else {
        return;
    };
    let golden = lines(&golden);
    for task in [Task::ArcChallenge, Task::Piqa, Task::WinoGrande] {
        let file = data.join(format!("{}.jsonl", task.name()));
        let rows = json_lines(task.name(), &fs_err::read_to_string(file).unwrap()).unwrap();
        let of =
            |profile| multiple_choice(model.subject(), task, &rows[..100], profile, &params(2, 1024), &Silent).unwrap();
        let found = of(Profile::LmEvalCurrent);
        let (mut right, mut right_norm) = (0, 0);
        for (number, result) in found.items.iter().enumerate() {
            let scores: Vec<f64> = golden
                .iter()
                .filter(|golden| golden["task"] == task.name() && golden["item"] == number)
                .map(|golden| golden["loglikelihood"].as_f64().unwrap())
                .collect();
            assert_eq!(scores.len(), result.answers.len());
            let best = |scores: &[f64]| {
                (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a))).unwrap()
            };
            let by_characters: Vec<f64> = scores
                .iter()
                .zip(&result.item.requests)
                .map(|(score, request)| score / (request.continuation.chars().count() - 1) as f64)
                .collect();
            right += usize::from(best(&scores) == result.item.gold);
            right_norm += usize::from(best(&by_characters) == result.item.gold);
            assert_eq!((result.line, result.chosen), (number + 1, best(&scores)), "{}, item {number}", task.name());
        }
        assert_eq!((found.metrics[0].name.as_str(), found.metrics[0].value), ("acc", right as f64 / 100.0));
        match found.metrics.get(1) {
            Some(norm) => assert_eq!((norm.name.as_str(), norm.value), ("acc_norm", right_norm as f64 / 100.0)),
            None => assert_eq!(task, Task::WinoGrande),
        }
        let old = of(Profile::LlmPruner2023);
        assert!(old.items.iter().zip(&found.items).any(|(old, new)| old.answers != new.answers), "{}", task.name());
    }
}

#[test]
fn an_item_that_cannot_be_scored_is_named_by_its_row() {
    let model = demo();
    let rows = json_lines("own.jsonl", "{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": 0}\n").unwrap();
    let run = |rows: &[Row]| {
        multiple_choice(model.subject(), Task::Own, rows, Profile::LmEvalCurrent, &params(1, 64), &Silent)
    };
    assert_eq!(run(&rows).unwrap().metrics[0].n, 1);
    let long = json!({"question": "q", "choices": ["a", "b c d ".repeat(100)], "gold": 0});
    let message = run(&[rows[0].clone(), row(long)]).unwrap_err().to_string();
    assert!(message.starts_with("rows.jsonl, line 7: the continuation has"), "{message}");
    assert!(run(&[]).unwrap_err().to_string().contains("no row"));
}

#[test]
fn a_file_of_ones_own_may_hold_choices_and_answers() {
    let choice =
        own_item(&row(json!({"question": "q", "choices": ["a", "b"], "gold": 1, "capability": "math"}))).unwrap();
    assert_eq!(choice.capability.as_deref(), Some("math"));
    assert!(
        matches!(choice.form, OwnForm::Choice(item) if item.gold == 1 && item.requests[0].context == "Question: q\nAnswer:")
    );
    let answer = own_item(&row(json!({"instruction": "i", "output": " o", "capability": null}))).unwrap();
    assert_eq!(answer.capability, None);
    let wanted = OwnForm::Answer { instruction: "i".to_owned(), input: String::new(), output: " o".to_owned() };
    assert_eq!(answer.form, wanted);
    for (value, wanted) in [
        (json!({"prompt": "i"}), "it is no item"),
        (json!({"instruction": "i", "choices": ["a", "b"], "gold": 0}), "leave one of them out"),
        (json!({"instruction": "i", "input": 3, "output": "o"}), "\"input\" must be a text"),
        (json!({"instruction": "i", "output": ""}), "\"output\" is empty"),
        (json!({"instruction": "i"}), "the column \"output\" is missing"),
        (json!({"question": "q", "choices": ["a", "b"], "gold": 5}), "\"gold\" is 5"),
    ] {
        let message = own_item(&row(value)).unwrap_err().to_string();
        assert!(message.starts_with("rows.jsonl, line 7: ") && message.contains(wanted), "{message}");
    }
}
