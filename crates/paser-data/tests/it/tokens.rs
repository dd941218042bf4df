//! Token ids and lengths, against the values that transformers gave for the small real model.

use std::time::Instant;

use crate::support::shared;
use paser_data::{
    Encoding, HoldOut, Pool, ReadOptions, Sample, Template, Tokenizer, content_hash, encode_pool, encode_sample,
    read_pool,
};
use paser_protocol::Silent;
use serde_json::Value;

fn real() -> Option<(Pool, Tokenizer)> {
    let (pool, model) = (shared("data/recovery_mix.jsonl")?, shared("models/mix-llama-5m")?);
    let options = ReadOptions { roles: None, hold_out: HoldOut::None };
    Some((read_pool(&pool, &options, &Silent).unwrap(), Tokenizer::from_model_dir(&model).unwrap()))
}

fn sample(instruction: &str, input: &str, output: &str) -> Sample {
    Sample {
        id: "0".to_owned(),
        instruction: instruction.to_owned(),
        input: input.to_owned(),
        output: output.to_owned(),
        hash: content_hash(instruction, input, output),
        multiplicity: 1,
        line: 1,
    }
}

#[test]
fn lengths_of_the_reference_and_whole_texts() {
    let Some((mut pool, tokenizer)) = real() else { return };
    // The reference's samples and every twentieth other: all 38,563 agree, and take half a minute on a busy machine.
    let mut row = 0;
    pool.samples.retain(|sample| {
        row += 1;
        row % 20 == 0 || sample.id.parse::<u64>().is_ok_and(|id| id % 50 == 0 && id < 8000)
    });
    let Some(expected) = shared("fixtures/jsd/expected.jsonl") else { return };
    assert_eq!((tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.vocabulary()), (Some(0), 1, 4096));
    let start = Instant::now();
    let encoded = encode_pool(&pool, &Template::Alpaca, &tokenizer, 512, &Silent).unwrap();
    eprintln!("encoding {} samples: {:.2} s", encoded.len(), start.elapsed().as_secs_f64());
    let mut compared = 0;
    for line in fs_err::read_to_string(expected).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let id = line["id"].to_string();
        let row = pool.samples.iter().position(|sample| sample.id == id).unwrap();
        let Encoding::Scorable(encoded) = &encoded[row] else { panic!("{line}: {:?}", encoded[row]) };
        assert_eq!(Value::from(encoded.prompt_tokens), line["prompt_tokens"], "{line}");
        assert_eq!(Value::from(encoded.response_tokens), line["response_tokens"], "{line}");
        assert!(!encoded.cut);
        assert_eq!((encoded.ids[0], *encoded.ids.last().unwrap()), (0, 1));
        compared += 1;
    }
    assert_eq!(compared, 159);

    let long = pool.samples.iter().position(|sample| sample.id == "7300").unwrap();
    let Encoding::Unscorable(reason) = &encoded[long] else { panic!("7300 has a prompt of more than 512 tokens") };
    assert!(reason.contains("no room"), "{reason}");
    let cut = |encoding: &&Encoding| matches!(encoding, Encoding::Scorable(encoded) if encoded.cut);
    assert!(encoded.iter().filter(cut).count() > 0);
    for encoding in encoded.iter().filter(cut) {
        let Encoding::Scorable(encoded) = encoding else { continue };
        assert_eq!((encoded.ids.len() as u32, encoded.prompt_tokens + encoded.response_tokens), (512, 512));
    }

    for (sample, encoded) in pool.samples.iter().zip(&encoded) {
        let Encoding::Scorable(encoded) = encoded else { continue };
        let mut whole = tokenizer.prefix().to_vec();
        let text = Template::Alpaca.prompt(sample).unwrap() + &sample.output;
        whole.extend(tokenizer.encode(&text).unwrap());
        whole.push(1);
        whole.truncate(512);
        assert_eq!(whole, encoded.ids, "sample {}", sample.id);
    }
}

#[test]
fn limits_cut_the_response_and_refuse_long_prompts() {
    let Some((_, tokenizer)) = real() else { return };
    let given = sample("Count to three.", "", "one, two, three");
    let scorable = |limit: usize| match encode_sample(&given, &Template::Alpaca, &tokenizer, limit).unwrap() {
        Encoding::Scorable(encoded) => encoded,
        Encoding::Unscorable(reason) => panic!("{reason}"),
    };
    let whole = scorable(512);
    let prompt = whole.prompt_tokens as usize;
    assert_eq!(whole.sample_tokens as usize, tokenizer.encode("Count to three.").unwrap().len());
    let cut = scorable(prompt + 1);
    assert!(cut.cut && cut.response_tokens == 1 && cut.ids[..] == whole.ids[..prompt + 1]);
    assert!(!scorable(whole.ids.len()).cut);
    let Encoding::Unscorable(reason) = encode_sample(&given, &Template::Alpaca, &tokenizer, prompt).unwrap() else {
        panic!("no room, and yet scorable")
    };
    assert!(reason.contains(&format!("{prompt} tokens")), "{reason}");
}

#[test]
fn an_empty_response_is_its_end_token() {
    let Some((_, tokenizer)) = real() else { return };
    let encoding = encode_sample(&sample("a", "b", ""), &Template::Plain, &tokenizer, 512).unwrap();
    let Encoding::Scorable(encoded) = encoding else { panic!("{encoding:?}") };
    assert_eq!((encoded.response_tokens, *encoded.ids.last().unwrap()), (1, 1));
    assert_eq!(encoded.sample_tokens as usize, tokenizer.encode("a\nb").unwrap().len());
}

#[test]
fn the_begin_token_never_stands_twice() {
    let Some(model) = shared("models/mix-llama-5m") else { return };
    let folder = tempfile::tempdir().unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        fs_err::copy(model.join(file), folder.path().join(file)).unwrap();
    }
    let template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[answer] ";
    fs_err::write(folder.path().join("chat_template.jinja"), template).unwrap();
    let tokenizer = Tokenizer::from_model_dir(folder.path()).unwrap();
    let chat = Template::by_name("chat", folder.path()).unwrap();
    let given = sample("Say hi.", "", "hi");
    assert_eq!(chat.prompt(&given).unwrap(), "<s>[user] Say hi.\n[answer] ");
    for (template, given) in [(chat, given), (Template::Plain, sample("<s>Say hi.", "", "hi"))] {
        let Encoding::Scorable(encoded) = encode_sample(&given, &template, &tokenizer, 512).unwrap() else {
            panic!("unscorable")
        };
        assert_eq!(encoded.ids.iter().filter(|id| **id == 0).count(), 1);
    }
}

#[test]
fn the_same_tokenizer_in_other_clothes_has_the_same_hash() {
    let (Some(dense), Some(pruned)) = (shared("models/mix-llama-5m"), shared("models/mix-llama-5m-magnitude70")) else {
        return;
    };
    let hash = |dir: &std::path::Path| Tokenizer::from_model_dir(dir).unwrap().hash_hex();
    assert_eq!(hash(&dense), hash(&pruned));
    let folder = tempfile::tempdir().unwrap();
    fs_err::copy(dense.join("tokenizer_config.json"), folder.path().join("tokenizer_config.json")).unwrap();
    let mut file: Value = serde_json::from_slice(&fs_err::read(dense.join("tokenizer.json")).unwrap()).unwrap();
    file["truncation"] =
        serde_json::json!({"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0});
    fs_err::write(folder.path().join("tokenizer.json"), serde_json::to_string_pretty(&file).unwrap()).unwrap();
    assert_eq!(hash(&dense), hash(folder.path()));
    assert!(Tokenizer::from_model_dir(folder.path()).unwrap().encode(&"word ".repeat(50)).unwrap().len() > 40);
    file["model"]["vocab"]["zz"] = Value::from(4096);
    fs_err::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
    assert_ne!(hash(&dense), hash(folder.path()));
}
