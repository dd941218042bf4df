//! The arrows of `ARCHITECTURE.md`: a crate depends on crates of lower layers, or on the neighbours listed here.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeMap, path::Path};

const LAYERS: [&[&str]; 4] = [
    &["paser-protocol"],
    &[
        "paser-data",
        "paser-hub",
        "paser-model",
        "paser-prune",
        "paser-score",
        "paser-manifold",
        "paser-select",
        "paser-demo",
    ],
    &["paser-project", "paser-engine"],
    &["paser-server", "paser-cli", "paser-studio", "ui"],
];

/// Arrows within a layer.
const NEIGHBOURS: [(&str, &str); 7] = [
    ("paser-prune", "paser-model"),
    ("paser-score", "paser-model"),
    ("paser-demo", "paser-prune"),
    ("paser-demo", "paser-model"),
    ("paser-engine", "paser-project"),
    ("paser-cli", "paser-server"),
    ("paser-studio", "paser-server"),
];

/// The window may know these and nothing else of ours.
const WINDOW_KNOWS: [&str; 2] = ["paser-protocol", "paser-select"];

fn layer(name: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&name)).unwrap_or_else(|| panic!("{name} stands in no layer"))
}

/// Ordinary dependencies among our crates, by package.
fn arrows() -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut manifests = vec![root.join("ui/Cargo.toml"), root.join("src-tauri/Cargo.toml")];
    for entry in fs_err::read_dir(root.join("crates")).unwrap() {
        manifests.push(entry.unwrap().path().join("Cargo.toml"));
    }
    let ours = |name: &str| name.starts_with("paser-") || name == "ui";
    manifests
        .iter()
        .map(|path| {
            let manifest: toml::Table = fs_err::read_to_string(path).unwrap().parse().unwrap();
            let name = manifest["package"]["name"].as_str().unwrap().to_owned();
            let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
            let needs = dependencies.into_iter().flat_map(|table| table.keys().filter(|key| ours(key)).cloned());
            (name, needs.collect())
        })
        .collect()
}

#[test]
fn no_arrow_points_up() {
    let arrows = arrows();
    assert!(arrows.len() >= 15, "only {} crates were found", arrows.len());
    for (from, needs) in &arrows {
        for to in needs {
            let listed = NEIGHBOURS.contains(&(from.as_str(), to.as_str()));
            assert!(layer(to) < layer(from) || listed, "{from} must not depend on {to}");
        }
    }
}

#[test]
fn the_window_knows_no_model() {
    for to in &arrows()["ui"] {
        assert!(WINDOW_KNOWS.contains(&to.as_str()), "the window must not depend on {to}");
    }
}
