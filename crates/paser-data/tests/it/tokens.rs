//! Token ids and lengths on the demo's tokenizer, and against the values that transformers gave for the small real
//! model.

use std::time::Instant;

use crate::support::{demo, shared};
use paser_data::{
    Encoding, HoldOut, Pool, ReadOptions, Sample, Template, Tokenizer, content_hash, encode_pool, encode_sample,
    read_alike, read_pool, tokenizer_agreement,
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
    assert_eq!((tokenizer.prefix(), tokenizer.eos_id(), tokenizer.vocabulary()), (&[0][..], 1, 4096));
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
fn the_demo_s_samples_have_their_parts_in_order() {
    let pool = read_pool(&demo("pool.jsonl"), &ReadOptions::default(), &Silent).unwrap();
    let tokenizer = Tokenizer::from_model_dir(&demo("dense")).unwrap();
    assert_eq!((tokenizer.prefix(), tokenizer.eos_id(), tokenizer.vocabulary()), (&[1][..], 2, 1024));
    let limit = 20;
    let encoded = encode_pool(&pool, &Template::Plain, &tokenizer, limit, &Silent).unwrap();
    let (mut whole, mut cut, mut unscorable) = (0, 0, 0);
    for (sample, encoding) in pool.samples.iter().zip(&encoded) {
        let Encoding::Scorable(encoded) = encoding else {
            unscorable += 1;
            continue;
        };
        let (prompt, response) = encoded.ids.split_at(encoded.prompt_tokens as usize);
        assert_eq!((prompt[0], response.len() as u32), (1, encoded.response_tokens), "{}", sample.id);
        assert!(encoded.ids.len() <= limit && encoded.sample_tokens < encoded.prompt_tokens, "{}", sample.id);
        if encoded.cut {
            cut += 1;
            assert_eq!(encoded.ids.len(), limit);
        } else {
            whole += 1;
            let (end, answer) = response.split_last().unwrap();
            assert_eq!((*end, tokenizer.decode(answer).unwrap().trim_start()), (2, sample.output.as_str()));
        }
    }
    assert!(whole > 0 && cut > 0 && unscorable > 0, "{whole} whole, {cut} cut, {unscorable} unscorable");
}

#[test]
fn limits_cut_the_response_and_refuse_long_prompts() {
    let tokenizer = Tokenizer::from_model_dir(&demo("dense")).unwrap();
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
    let tokenizer = Tokenizer::from_model_dir(&demo("dense")).unwrap();
    let encoding = encode_sample(&sample("a", "b", ""), &Template::Plain, &tokenizer, 512).unwrap();
    let Encoding::Scorable(encoded) = encoding else { panic!("{encoding:?}") };
    assert_eq!((encoded.response_tokens, *encoded.ids.last().unwrap()), (1, tokenizer.eos_id()));
    assert_eq!(encoded.sample_tokens as usize, tokenizer.encode("a\nb").unwrap().len());
}

#[test]
fn the_begin_token_never_stands_twice() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::copy(demo("dense/tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    fs_err::write(folder.path().join("tokenizer_config.json"), r#"{"bos_token":"<s>","eos_token":"</s>"}"#).unwrap();
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
        assert_eq!(encoded.ids.iter().filter(|id| **id == 1).count(), 1);
    }
}

/// A folder with the demo's tokenizer, changed.
fn changed(change: impl FnOnce(&mut Value, &mut Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let read = |file: &str| serde_json::from_slice(&fs_err::read(demo("dense").join(file)).unwrap()).unwrap();
    let (mut tokenizer, mut config): (Value, Value) = (read("tokenizer.json"), read("tokenizer_config.json"));
    change(&mut tokenizer, &mut config);
    let write = |file: &str, value: &Value| {
        fs_err::write(folder.path().join(file), serde_json::to_string_pretty(value).unwrap()).unwrap();
    };
    write("tokenizer.json", &tokenizer);
    write("tokenizer_config.json", &config);
    folder
}

#[test]
fn the_same_tokenizer_in_other_clothes_has_the_same_hash() {
    let hash = |dir: &std::path::Path| Tokenizer::from_model_dir(dir).unwrap().hash_hex();
    let dense = hash(&demo("dense"));
    assert_eq!(dense, hash(&demo("pruned")));
    let folder = changed(|tokenizer, _| {
        tokenizer["truncation"] =
            serde_json::json!({"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0});
    });
    assert_eq!(dense, hash(folder.path()));
    assert!(Tokenizer::from_model_dir(folder.path()).unwrap().encode(&"word ".repeat(50)).unwrap().len() > 40);
    let folder = changed(|tokenizer, _| tokenizer["model"]["vocab"]["zz"] = Value::from(1024));
    assert_ne!(dense, hash(folder.path()));
}

#[test]
fn two_tokenizers_agree_or_are_told_apart_in_words() {
    let against = |folder: &std::path::Path| {
        let agreement = tokenizer_agreement(&demo("dense"), folder).unwrap();
        let hash = |dir: &std::path::Path| Tokenizer::from_model_dir(dir).unwrap().hash_hex();
        assert_eq!(agreement.agree, read_alike(&hash(&demo("dense")), Some(&hash(folder))), "one rule");
        agreement
    };
    let same = against(&demo("pruned"));
    assert!(same.agree && same.same_vocabulary && same.same_ids && same.difference.is_none());
    assert_eq!(same.entries, (1024, 1024));

    type Change = fn(&mut Value, &mut Value);
    let cases: [(Change, &str); 4] = [
        (
            |tokenizer, _| tokenizer["model"]["vocab"]["zz"] = Value::from(1024),
            "\"zz\" (id 1024) is only in the second",
        ),
        (|tokenizer, _| tokenizer["normalizer"] = serde_json::json!({"type": "Lowercase"}), "the probe text is cut"),
        (|_, config| config["eos_token"] = Value::from("<pad>"), "1 and 2 in the first, 1 and 0 in the second"),
        (|tokenizer, _| tokenizer["decoder"] = serde_json::json!({"type": "Fuse"}), "the rest of tokenizer.json"),
    ];
    for (change, words) in cases {
        let folder = changed(change);
        let agreement = against(folder.path());
        assert!(!agreement.agree);
        let difference = agreement.difference.unwrap();
        assert!(difference.contains(words), "{difference}");
    }
}

#[test]
fn a_pruned_copy_without_a_tokenizer_reads_as_its_model_does() {
    let bare = tempfile::tempdir().unwrap();
    let agreement = tokenizer_agreement(&demo("dense"), bare.path()).unwrap();
    assert!(agreement.agree && agreement.difference.unwrap().contains("the second model has no tokenizer.json"));
    let agreement = tokenizer_agreement(bare.path(), &demo("dense")).unwrap();
    assert!(!agreement.agree && agreement.difference.unwrap().contains("the first model has no tokenizer.json"));
    assert!(!tokenizer_agreement(bare.path(), bare.path()).unwrap().agree);
}
