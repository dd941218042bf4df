//! Inputs that cannot be used: one error each on stderr, the file named, the exit code of the contract, nothing
//! written.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Ran, demo_files, paser_in, text};

const GOOD: &str = r#"{"id":1,"instruction":"Add 1 and 2.","input":"","output":"3"}
"#;

#[track_caller]
fn refused(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "{:?} lacks {part:?}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

fn score(home: &Path, dense: &Path, pruned: &Path, pool: &str) -> Ran {
    let models = ["--dense", text(dense), "--pruned", text(pruned), "--template", "chat"];
    paser_in(home, &[&["score"], &models[..], &["--pool", pool, "--out", "s.jsonl"]].concat())
}

#[test]
fn pools() {
    let home = demo_files(1);
    let (dense, pruned) = (home.path().join("dense"), home.path().join("pruned"));
    let long = vec![b'x'; 10 << 20];
    let twice = format!("{GOOD}{}", GOOD.replace("1 and 2", "2 and 2"));
    let cases: [(&str, &[u8], &[&str]); 9] = [
        ("truncated.jsonl", &[GOOD.as_bytes(), b"{\"instruction\":\"a"].concat(), &["breaks off", "line 2"]),
        ("truncated.json", b"[{\"instruction\":\"a\",\"output\":\"b\"},", &["breaks off", "element 2"]),
        ("binary.jsonl", b"\x7fELF\x00\x01\x02", &["binary", "offset 4"]),
        ("empty.jsonl", b"", &["is empty"]),
        ("long.jsonl", &long, &["10485760 bytes", "line 1"]),
        ("latin1.jsonl", b"{\"instruction\":\"caf\xe9\",\"output\":\"b\"}\n", &["0xE9", "UTF-8"]),
        ("fields.jsonl", b"{\"prompt\":\"a\",\"completion\":\"b\"}\n", &["prompt, completion"]),
        ("twice.jsonl", twice.as_bytes(), &["\"1\"", "line 1", "line 2"]),
        ("some.parquet", b"PAR1\x15\x04", &["Parquet"]),
    ];
    for (name, bytes, parts) in cases {
        fs_err::write(home.path().join(name), bytes).unwrap();
        let ran = score(home.path(), &dense, &pruned, name);
        refused(&ran, 3, &[&[name], parts].concat());
    }
    refused(&score(home.path(), &dense, &pruned, "absent.jsonl"), 3, &["absent.jsonl"]);
    assert!(!home.path().join("s.jsonl").exists());

    let json =
        ["score", "--json", "--dense", text(&dense), "--pruned", text(&pruned), "--pool", "empty.jsonl", "--out", "s"];
    let ran = paser_in(home.path(), &json);
    assert_eq!(ran.last()["exit_code"], 3, "{}", ran.stdout);
}

#[test]
fn no_project_is_made_of_what_cannot_be_used() {
    let home = demo_files(1);
    fs_err::write(home.path().join("empty.jsonl"), b"").unwrap();
    let new =
        |pool, dense| paser_in(home.path(), &["new", "made", "--pool", pool, "--dense", dense, "--pruned", "pruned"]);
    refused(&new("empty.jsonl", "dense"), 3, &["empty.jsonl", "is empty"]);
    refused(&new("pool.jsonl", "/absent/model"), 3, &["/absent/model"]);
    assert!(!home.path().join("made").exists());
}

/// A copy of the small model to be damaged.
fn copy(model: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(model).unwrap() {
        let entry = entry.unwrap();
        fs_err::write(to.join(entry.file_name()), fs_err::read(entry.path()).unwrap()).unwrap();
    }
}

fn change(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    edit(&mut value);
    fs_err::write(path, value.to_string()).unwrap();
}

#[test]
fn models() {
    let home = demo_files(1);
    let dense = home.path().join("dense");
    fs_err::write(home.path().join("pool.jsonl"), GOOD).unwrap();
    let broken = |name: &str, damage: &dyn Fn(&Path)| -> PathBuf {
        let folder = home.path().join(name);
        copy(&dense, &folder);
        damage(&folder);
        folder
    };
    let run = |folder: &Path| score(home.path(), &dense, folder, "pool.jsonl");

    let nan = broken("nan", &|folder| {
        let path = folder.join("model.safetensors");
        let mut bytes = fs_err::read(&path).unwrap();
        let at = bytes.len() - 64;
        // A bfloat16 NaN.
        bytes[at..at + 2].copy_from_slice(&[0xC0, 0x7F]);
        fs_err::write(&path, bytes).unwrap();
    });
    refused(&run(&nan), 3, &["nan", "not finite"]);
    refused(&paser_in(home.path(), &["inspect", text(&nan)]), 3, &["not finite"]);

    let cut = broken("cut", &|folder| {
        let path = folder.join("model.safetensors");
        let bytes = fs_err::read(&path).unwrap();
        fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    });
    refused(&run(&cut), 3, &["cut", "model.safetensors"]);

    let shard = broken("shard", &|folder| {
        fs_err::remove_file(folder.join("model.safetensors")).unwrap();
        let index = r#"{"metadata":{},"weight_map":{"model.norm.weight":"model-00001-of-00002.safetensors"}}"#;
        fs_err::write(folder.join("model.safetensors.index.json"), index).unwrap();
    });
    refused(&run(&shard), 3, &["model-00001-of-00002.safetensors", "missing"]);

    let tokens = broken("tokens", &|folder| {
        change(&folder.join("tokenizer.json"), |file| {
            let vocabulary = file["model"]["vocab"].as_object_mut().unwrap();
            let (a, b) = (vocabulary["a"].clone(), vocabulary["b"].clone());
            vocabulary["a"] = b;
            vocabulary["b"] = a;
        });
    });
    refused(&run(&tokens), 3, &["read text differently", "tokens"]);

    let config = broken("config", &|folder| {
        change(&folder.join("config.json"), |file| file["intermediate_size"] = 700.into());
    });
    refused(&run(&config), 3, &["intermediate_size", "700", "352"]);

    refused(&run(&home.path().join("absent")), 3, &["absent", "no such folder"]);
    refused(&paser_in(home.path(), &["inspect", "pool.jsonl"]), 3, &["is a file"]);
    refused(&paser_in(home.path(), &["inspect", "some-org/some-model"]), 4, &["HF_HUB_OFFLINE", "some-org/some-model"]);
}

/// A file system of 64 KiB; needs the right to mount.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, options: &str) -> Option<Self> {
        fs_err::create_dir_all(at).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        if done.is_ok_and(|output| output.status.success()) {
            Some(Self(at.to_owned()))
        } else {
            eprintln!(
                "skipped: what happens on a full and on a read-only disk was NOT tested here, because a small tmpfs \
                 may not be mounted: run the tests as root"
            );
            None
        }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn full_and_read_only_disks() {
    let home = demo_files(1);
    let dense = home.path().join("dense");
    let (full, locked) = (home.path().join("full"), home.path().join("locked"));
    let prune = |out: &Path| {
        paser_in(
            home.path(),
            &["prune", text(&dense), "--method", "magnitude", "--sparsity", "0.5", "--out", text(out)],
        )
    };
    if let Some(_mounted) = Tmpfs::mount(&full, "size=64k") {
        refused(&prune(&full.join("out")), 4, &["full"]);
        assert!(!full.join("out").exists(), "a half-written model was left behind");
    }
    if let Some(_mounted) = Tmpfs::mount(&locked, "size=64k,ro") {
        refused(&prune(&locked.join("out")), 4, &["locked"]);
    }
}
