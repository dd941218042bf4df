//! Eight steps of LoRA against PEFT and torch on the same batches (`../shared/fixtures/peft-lora`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeMap, path::Path};

use paser_model::{
    Adapter, Checkpoint, LowRank, Projection,
    train::{Example, Slot, Trainee},
};
use paser_recover::{AdamW, Moments, clipping, norm};
use safetensors::SafeTensors;

fn f32s(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).unwrap_or_else(|_| panic!("{name}")).data().to_vec();
    bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

fn i64s(file: &SafeTensors<'_>, name: &str) -> Vec<i64> {
    let bytes = file.tensor(name).unwrap().data().to_vec();
    bytes.as_chunks::<8>().0.iter().map(|value| i64::from_le_bytes(*value)).collect()
}

fn adapter(folder: &Path, layers: usize) -> Adapter {
    let bytes = fs_err::read(folder.join("adapter_model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut parts = BTreeMap::new();
    for layer in 0..layers {
        for projection in Projection::ALL {
            let name = |part: &str| {
                format!("base_model.model.model.layers.{layer}.{}.lora_{part}.weight", projection.module())
            };
            let part = LowRank { a: f32s(&file, &name("A")), b: f32s(&file, &name("B")) };
            parts.insert((layer, projection), part);
        }
    }
    Adapter { rank: 8, alpha: 16.0, dropout: 0.0, parts }
}

#[test]
fn eight_steps_are_those_of_peft_and_torch() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let lora = fixtures.join("peft-lora");
    if !lora.exists() {
        eprintln!("skipped: {} is not there", lora.display());
        return;
    }
    let checkpoint = Checkpoint::open(&fixtures.join("hf-logits/llama-gqa-tied")).unwrap();
    let layers = checkpoint.spec().layers.len();
    let expected: serde_json::Value =
        serde_json::from_slice(&fs_err::read(lora.join("expected.json")).unwrap()).unwrap();
    let number = |key: &str| expected[key].as_f64().unwrap();
    let row = |key: &str, step: usize| expected[key][step].as_f64().unwrap();
    let bytes = fs_err::read(lora.join("batches.safetensors")).unwrap();
    let batches = SafeTensors::deserialize(&bytes).unwrap();
    let (ids, labels) = (i64s(&batches, "input_ids"), i64s(&batches, "labels"));
    for recompute in [false, true] {
        let trainee = Trainee::low_rank(&checkpoint, &adapter(&lora.join("initial"), layers)).unwrap();
        let mut trainee = trainee.within(if recompute { 0 } else { u64::MAX }, 1);
        assert_eq!(trainee.layout().len() as f64, number("trainable_parameters"));
        let adam = AdamW { weight_decay: number("weight_decay"), ..AdamW::default() };
        let mut moments = Moments::new(trainee.layout().len());
        for step in 0..8 {
            let samples: Vec<(Vec<u32>, Vec<bool>)> = (0..4)
                .map(|sample| {
                    let at = (step * 4 + sample) * 32..(step * 4 + sample + 1) * 32;
                    let counted = labels[at.clone()].iter().map(|label| *label != -100).collect();
                    (ids[at].iter().map(|id| *id as u32).collect(), counted)
                })
                .collect();
            let batch: Vec<Example<'_>> = samples
                .iter()
                .enumerate()
                .map(|(at, (ids, counted))| Example { sample: at as u64, ids, counted })
                .collect();
            let found = trainee.gradients(&batch, None, &|| false).unwrap();
            let (loss, length) = (row("losses", step), row("grad_norms", step));
            assert!((found.loss - loss).abs() < 1e-4, "loss of step {step}: {} {loss}", found.loss);
            let ours = norm(&found.values);
            assert!((ours - length).abs() < 1e-3, "gradient norm of step {step}: {ours} {length}");
            if step > 0 {
                for (slot, range) in trainee.layout().parts() {
                    assert!(found.values[range].iter().any(|value| *value != 0.0), "{} gets no gradient", slot.name());
                }
            }
            let factor = clipping(ours, number("max_grad_norm"));
            trainee.change(|values| adam.step(values, &found.values, factor, number("lr"), &mut moments));
        }
        let last = adapter(&lora.join("final"), layers);
        let (mut all, mut near, mut furthest) = (0_usize, 0_usize, 0.0_f32);
        for (slot, range) in trainee.layout().parts() {
            let expected = match slot {
                Slot::A(layer, projection) => &last.parts[&(layer, projection)].a,
                Slot::B(layer, projection) => &last.parts[&(layer, projection)].b,
                _ => panic!("{slot:?} is not trained here"),
            };
            for (found, expected) in trainee.values()[range].iter().zip(expected) {
                let off = (found - expected).abs();
                all += 1;
                near += usize::from(off <= 1e-4);
                furthest = furthest.max(off);
            }
        }
        eprintln!("recompute {recompute}: {near} of {all} within 1e-4, furthest {furthest:.1e}");
        let merged = trainee.merged();
        let bytes = fs_err::read(lora.join("merged_expected.safetensors")).unwrap();
        let expected = SafeTensors::deserialize(&bytes).unwrap();
        let ids: Vec<u32> = i64s(&expected, "input_ids").iter().map(|id| *id as u32).collect();
        let hidden = merged.hidden_rows(&ids.chunks(24).collect::<Vec<_>>()).unwrap();
        let mut logits = vec![0.0; ids.len() * 320];
        merged.logits_rows(&hidden, &mut logits);
        let logits = logits.iter().zip(f32s(&expected, "logits"));
        let off = logits.map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
        eprintln!("merged logits off by at most {off:.1e}");
        assert!(off < 2e-4, "merged logits off by {off}");
        assert!(near as f64 >= 0.999 * all as f64 && furthest <= 4e-3, "{near} of {all}, furthest {furthest}");
    }
}
