//! The project's template `chat` gives the shipped pool exactly the form that the model was trained on.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use paser_data::{Encoding, ReadOptions, Template, Tokenizer, encode_pool, read_pool};
use paser_demo::tokens::{read_tokenizer, sequence};
use paser_protocol::Silent;

#[test]
fn the_pool_is_encoded_as_it_was_trained() {
    let assets = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/assets"));
    let dense = assets.join("dense");
    let pool = read_pool(&assets.join("pool.jsonl"), &ReadOptions::default(), &Silent).unwrap();
    assert_eq!(pool.samples.len(), 3000);
    let template = Template::by_name("chat", &dense).unwrap();
    let encoded = encode_pool(&pool, &template, &Tokenizer::from_model_dir(&dense).unwrap(), 128, &Silent).unwrap();
    let ours = read_tokenizer(&dense).unwrap();
    for (sample, encoding) in pool.samples.iter().zip(encoded) {
        let expected = sequence(&ours, &sample.instruction, &sample.input, &sample.output).unwrap();
        let Encoding::Scorable(encoded) = encoding else { panic!("{} is not scorable", sample.id) };
        assert_eq!(encoded.ids, expected.ids, "{}", sample.id);
        assert_eq!(encoded.prompt_tokens as usize, expected.prompt, "{}", sample.id);
    }
}
