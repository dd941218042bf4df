//! The tokenizer: one token for a word wherever it stands, digits one by one, and prompts that join answers.
#![allow(clippy::unwrap_used)]

use paser_demo::pool::{SEED, TrainingStream};
use paser_demo::tokens::{
    BOS, CHAT_TEMPLATE, EOS, SPECIALS, VOCABULARY, encode, prompt, read_tokenizer, sequence, train_tokenizer,
    write_tokenizer,
};
use tokenizers::Tokenizer;

fn trained() -> Tokenizer {
    train_tokenizer(4_000, SEED).unwrap()
}

#[test]
fn specials_have_the_first_ids_and_the_vocabulary_its_size() {
    let tokenizer = trained();
    for (id, special) in SPECIALS.iter().enumerate() {
        assert_eq!(tokenizer.token_to_id(special), Some(id as u32));
    }
    let size = tokenizer.get_vocab_size(true);
    assert!(size > 600 && size <= VOCABULARY, "{size}");
}

#[test]
fn a_word_has_one_token_wherever_it_stands() {
    let tokenizer = trained();
    let alone = encode(&tokenizer, "marble").unwrap();
    assert_eq!(alone.len(), 1);
    let listed = encode(&tokenizer, "acorn, marble").unwrap();
    assert_eq!(listed.last(), alone.last());
    let prompted = encode(&tokenizer, &prompt("Flip the order of the list.", "marble, acorn")).unwrap();
    assert_eq!(prompted.iter().filter(|id| **id == alone[0]).count(), 1);
}

#[test]
fn digits_stand_alone() {
    let tokenizer = trained();
    let ids = encode(&tokenizer, "47").unwrap();
    let tokens: Vec<String> = ids.iter().map(|id| tokenizer.id_to_token(*id).unwrap()).collect();
    assert_eq!(tokens, ["\u{120}", "4", "7"]);
}

#[test]
fn prompt_and_answer_join_to_the_training_form() {
    let tokenizer = trained();
    let mut stream = TrainingStream::new(9);
    for _ in 0..500 {
        let task = stream.next(&[1.0; 6]);
        let whole = sequence(&tokenizer, &task.instruction, &task.input, &task.output).unwrap();
        let rendered = prompt(&task.instruction, &task.input);
        let written = encode(&tokenizer, &format!("{rendered}{}</s>", task.output)).unwrap();
        assert_eq!(whole.ids, written, "{rendered}");
        assert_eq!(whole.ids[0], BOS);
        assert_eq!(whole.ids.last(), Some(&EOS));
        assert_eq!(whole.ids.iter().filter(|id| **id == BOS).count(), 1);
        assert!(whole.ids.len() <= 128, "{} tokens", whole.ids.len());
        let answer = tokenizer.decode(&whole.ids[whole.prompt..], true).unwrap();
        assert_eq!(answer.trim_start(), task.output);
        let unmarked = rendered.strip_prefix("<s>").unwrap();
        let added = tokenizer.encode(unmarked, true).unwrap();
        assert_eq!(added.get_ids(), &whole.ids[..whole.prompt]);
    }
}

#[test]
fn the_chat_template_renders_the_prompt() {
    let mut jinja = minijinja::Environment::new();
    jinja.add_template("chat", CHAT_TEMPLATE).unwrap();
    let template = jinja.get_template("chat").unwrap();
    for (instruction, input) in [
        ("How long is the list?", "acorn, brick"),
        ("What is 12 plus 3?", ""),
        ("What do these lines print?", "a = 3\nb = a + 1\nprint(b)"),
    ] {
        let user = if input.is_empty() { instruction.to_owned() } else { format!("{instruction}\n{input}") };
        let rendered = template
            .render(minijinja::context! {
                messages => [minijinja::context! { role => "user", content => user }],
                bos_token => "<s>",
                eos_token => "</s>",
                add_generation_prompt => true,
            })
            .unwrap();
        assert_eq!(rendered, prompt(instruction, input));
        let whole = template
            .render(minijinja::context! {
                messages => [
                    minijinja::context! { role => "user", content => user },
                    minijinja::context! { role => "assistant", content => "4" },
                ],
                bos_token => "<s>",
                eos_token => "</s>",
                add_generation_prompt => false,
            })
            .unwrap();
        assert_eq!(whole, format!("{}4</s>", prompt(instruction, input)));
    }
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let tokenizer = trained();
    let folder = tempfile::tempdir().unwrap();
    write_tokenizer(&tokenizer, folder.path()).unwrap();
    let again = read_tokenizer(folder.path()).unwrap();
    let text = prompt("Line up the numbers from low to high.", "12, 7, 30");
    assert_eq!(encode(&tokenizer, &text).unwrap(), encode(&again, &text).unwrap());
    let twice = trained().to_string(false).unwrap();
    assert_eq!(tokenizer.to_string(false).unwrap(), twice, "training is not repeatable");
}
