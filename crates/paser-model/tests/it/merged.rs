//! Merged checkpoint folders: the numbers, the types, the shards, what travels, and what happens half-way.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use half::bf16;
use paser_model::write::{WeightsType, write_merged};
use paser_model::{Checkpoint, Decoder, ModelError, Zeros};
use paser_protocol::{Monitor, Silent};
use safetensors::Dtype;
use serde_json::Value;

use crate::adapters::everywhere;
use crate::support::{demo, largest_difference, logits, names};
use crate::tiny::{Tiny, VOCAB};

fn ids() -> Vec<Vec<u32>> {
    vec![(0..20).map(|token| (token * 7 + 3) % VOCAB as u32).collect()]
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

#[test]
fn the_folder_computes_what_the_merged_decoder_computes() {
    for sharded in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("base");
        fs_err::create_dir(&from).unwrap();
        let tiny = Tiny::llama();
        if sharded {
            tiny.write_sharded(&from);
        } else {
            tiny.write(&from);
        }
        fs_err::write(from.join("tokenizer.json"), "{}").unwrap();
        fs_err::write(from.join("LICENSE"), "free").unwrap();
        fs_err::write(from.join("paser-prune.json"), "{}").unwrap();
        fs_err::write(from.join("pytorch_model.bin"), "old").unwrap();
        let base = Checkpoint::open(&from).unwrap();
        let adapter = everywhere(&base);
        let out = dir.path().join("deep/merged");
        let written = write_merged(&base, &adapter, Zeros::Fill, WeightsType::AsBase, &out, &Silent).unwrap();
        assert_eq!(written.notes, [""; 0]);
        let weights: &[&str] = if sharded { &["a.safetensors", "b.safetensors"] } else { &["model.safetensors"] };
        let mut expected: Vec<&str> =
            [weights, &["LICENSE", "config.json", "paser-merged.json", "tokenizer.json"]].concat();
        expected.extend(sharded.then_some("model.safetensors.index.json"));
        expected.sort_unstable();
        assert_eq!(names(&out), expected);
        assert_eq!(names(out.parent().unwrap()), ["merged"]);
        let merged = Checkpoint::open(&out).unwrap();
        let (decoder, report) = Decoder::load_with(&base, &adapter, Zeros::Fill, &Silent).unwrap();
        assert_eq!(written.merge, report);
        let (found, wanted) = (logits(&Decoder::load(&merged).unwrap(), &ids()), logits(&decoder, &ids()));
        assert_eq!(found, wanted, "the same bits");
        assert!(largest_difference(&wanted, &logits(&Decoder::load(&base).unwrap(), &ids())) > 1e-2);
    }
}

#[test]
fn weights_keep_the_bases_type_or_become_f32() {
    let dir = tempfile::tempdir().unwrap();
    let base = Checkpoint::open(&demo("dense")).unwrap();
    let stored = |name: &str| base.tensor_info(name).unwrap().dtype;
    let adapter = everywhere(&base);
    let own = dir.path().join("own");
    write_merged(&base, &adapter, Zeros::Fill, WeightsType::AsBase, &own, &Silent).unwrap();
    let full = dir.path().join("full");
    write_merged(&base, &adapter, Zeros::Fill, WeightsType::F32, &full, &Silent).unwrap();
    let (own, full) = (Checkpoint::open(&own).unwrap(), Checkpoint::open(&full).unwrap());
    for name in base.tensor_names() {
        assert_eq!(own.tensor_info(name).unwrap().dtype, stored(name), "{name}");
        assert_eq!(full.tensor_info(name).unwrap().dtype, Dtype::F32, "{name}");
        let rounded: Vec<f32> = match stored(name) {
            Dtype::BF16 => full.values(name).unwrap().iter().map(|v| bf16::from_f32(*v).to_f32()).collect(),
            Dtype::F16 => full.values(name).unwrap().iter().map(|v| half::f16::from_f32(*v).to_f32()).collect(),
            _ => full.values(name).unwrap(),
        };
        assert_eq!(own.values(name).unwrap(), rounded, "{name}");
    }
    let config = json(&full.dir().join("config.json"));
    let dtype = config.get("dtype").or(config.get("torch_dtype")).and_then(Value::as_str);
    assert_eq!(dtype, Some("float32"));
}

#[test]
fn zeros_of_a_sparse_base_stay_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut tiny = Tiny::llama();
    for (name, (_, values)) in &mut tiny.tensors {
        if name.contains("_proj") {
            values.iter_mut().skip(1).step_by(2).for_each(|value| *value = 0.0);
        }
    }
    tiny.write(dir.path());
    let base = Checkpoint::open(dir.path()).unwrap();
    let adapter = everywhere(&base);
    let out = dir.path().join("merged");
    let written = write_merged(&base, &adapter, Zeros::Keep, WeightsType::AsBase, &out, &Silent).unwrap();
    assert_eq!(written.merge.sparsity(), (0.5, 0.5));
    assert_eq!(written.merge.matrices.len(), 14);
    let merged = Checkpoint::open(&out).unwrap();
    for name in base.tensor_names().filter(|name| name.contains("_proj")) {
        let (then, now) = (base.values(name).unwrap(), merged.values(name).unwrap());
        assert!(then.iter().zip(&now).all(|(then, now)| *then != 0.0 || *now == 0.0), "{name}");
        assert!(then != now, "{name}");
    }
    let (_, filled) = Decoder::load_with(&base, &adapter, Zeros::Fill, &Silent).unwrap();
    assert!(filled.sparsity().0 == 0.5 && filled.sparsity().1 < 0.1, "{:?}", filled.sparsity());
}

#[test]
fn layers_of_different_sizes_are_labelled() {
    let dir = tempfile::tempdir().unwrap();
    Tiny::uneven().write(dir.path());
    let base = Checkpoint::open(dir.path()).unwrap();
    let out = dir.path().join("merged");
    let written = write_merged(&base, &everywhere(&base), Zeros::Fill, WeightsType::AsBase, &out, &Silent).unwrap();
    assert!(written.notes[0].contains("stock transformers cannot load"), "{:?}", written.notes);
    let config = json(&out.join("config.json"));
    assert_eq!(config["per_layer_config"]["1"]["intermediate_size"], 8);
    assert_eq!(config["per_layer_config"]["1"]["num_attention_heads"], 2);
    assert_eq!(config["per_layer_config"]["0"]["intermediate_size"], 24);
    assert_eq!(Checkpoint::open(&out).unwrap().spec().layers, base.spec().layers);
}

/// Says stop at the n-th look.
struct StopAt(AtomicUsize, usize);

impl Monitor for StopAt {
    fn progress(&self, done: u64, total: u64) {
        assert!(done <= total);
    }

    fn cancelled(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= self.1
    }
}

#[test]
fn a_stop_a_taken_name_and_numbers_that_do_not_fit_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("base");
    fs_err::create_dir(&from).unwrap();
    Tiny::llama().write(&from);
    let base = Checkpoint::open(&from).unwrap();
    let adapter = everywhere(&base);
    let out = dir.path().join("merged");
    for looks in [0, 1, 10, 25] {
        let stop = StopAt(AtomicUsize::new(0), looks);
        let error = write_merged(&base, &adapter, Zeros::Fill, WeightsType::AsBase, &out, &stop).unwrap_err();
        assert!(matches!(error, ModelError::Cancelled), "{error}");
        assert_eq!(names(dir.path()), ["base"]);
    }
    let error = write_merged(&base, &adapter, Zeros::Fill, WeightsType::AsBase, &from, &Silent).unwrap_err();
    assert!(matches!(error, ModelError::OutputTaken(_)), "{error}");
    let mut huge = adapter;
    huge.alpha = f64::from(f32::MAX);
    huge.parts.values_mut().for_each(|part| part.b.fill(100.0));
    let error = write_merged(&base, &huge, Zeros::Fill, WeightsType::AsBase, &out, &Silent).unwrap_err();
    assert!(matches!(error, ModelError::TooLarge { .. }), "{error}");
    assert_eq!(names(dir.path()), ["base"]);
}

/// A small disk of its own, until dropped. Only root may mount one.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount() -> Option<Self> {
        let at = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new("mount");
        let done = command.args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"]).arg(at.path()).output();
        if done.is_ok_and(|output| output.status.success()) {
            return Some(Self(at));
        }
        eprintln!("skipped: a full disk was not tested here, because a small tmpfs could not be mounted");
        None
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).output();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_error_that_names_the_file_and_leaves_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let dir = tempfile::tempdir().unwrap();
    Tiny::llama().write(dir.path());
    let base = Checkpoint::open(dir.path()).unwrap();
    let out = disk.0.path().join("merged");
    let error = write_merged(&base, &everywhere(&base), Zeros::Fill, WeightsType::AsBase, &out, &Silent).unwrap_err();
    let ModelError::Io { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull, "{error}");
    assert!(!error.to_string().contains(".merged."), "the temporary name means nothing: {error}");
    assert_eq!(names(disk.0.path()), [""; 0]);
}
