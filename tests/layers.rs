//! The arrows of `ARCHITECTURE.md`: a crate depends on crates of lower layers, or on the neighbours listed here.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

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
        "paser-recover",
        "paser-eval",
        "paser-demo",
    ],
    &["paser-project", "paser-engine"],
    &["paser-server", "paser-cli", "paser-studio", "ui"],
];

/// Arrows within a layer.
const NEIGHBOURS: [(&str, &str); 14] = [
    ("paser-hub", "paser-data"),
    ("paser-prune", "paser-model"),
    ("paser-score", "paser-model"),
    ("paser-recover", "paser-model"),
    ("paser-recover", "paser-score"),
    ("paser-eval", "paser-model"),
    ("paser-eval", "paser-score"),
    ("paser-demo", "paser-prune"),
    ("paser-demo", "paser-model"),
    ("paser-demo", "paser-score"),
    ("paser-demo", "paser-select"),
    ("paser-engine", "paser-project"),
    ("paser-cli", "paser-server"),
    ("paser-studio", "paser-server"),
];

/// The window may know these and nothing else of ours.
const WINDOW_KNOWS: [&str; 2] = ["paser-protocol", "paser-select"];

fn layer(name: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&name)).unwrap_or_else(|| panic!("{name} stands in no layer"))
}

fn ours(name: &str) -> bool {
    name.starts_with("paser-") || name == "ui"
}

/// What a manifest links among our crates: dependencies and build dependencies, those of single targets too. What only
/// its tests use links nothing.
fn needs(manifest: &toml::Table) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    let places = targets.filter_map(|(_, target)| target.as_table()).chain([manifest]);
    let tables = places.flat_map(|place| ["dependencies", "build-dependencies"].map(|kind| place.get(kind)));
    let named = tables.flatten().filter_map(toml::Value::as_table).flatten().map(|(name, value)| {
        // `other = { package = "paser-x" }` means paser-x.
        value.get("package").and_then(toml::Value::as_str).unwrap_or(name).to_owned()
    });
    named.filter(|name| ours(name)).collect()
}

/// Links among our crates, by package.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut manifests = vec![root.join("ui/Cargo.toml"), root.join("src-tauri/Cargo.toml")];
    for entry in fs_err::read_dir(root.join("crates")).unwrap() {
        manifests.push(entry.unwrap().path().join("Cargo.toml"));
    }
    manifests
        .iter()
        .map(|path| {
            let manifest: toml::Table = fs_err::read_to_string(path).unwrap().parse().unwrap();
            let name = manifest["package"]["name"].as_str().unwrap().to_owned();
            (name, needs(&manifest))
        })
        .collect()
}

#[test]
fn every_kind_of_link_is_an_arrow() {
    let manifest = "
        [dependencies]
        paser-a.workspace = true
        serde = \"1\"
        alias = { package = \"paser-b\", path = \"b\" }
        [build-dependencies]
        paser-c = { path = \"c\" }
        [target.'cfg(unix)'.dependencies]
        ui.workspace = true
        [target.'cfg(windows)'.build-dependencies]
        paser-d.workspace = true
        [dev-dependencies]
        paser-e.workspace = true";
    let found = needs(&manifest.parse().unwrap());
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["paser-a", "paser-b", "paser-c", "paser-d", "ui"]);
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
