//! Installers: the Debian package by ourselves, the other forms by Tauri's own tool where it is installed. What they say
//! of the program stands in `src-tauri/tauri.conf.json`.

mod deb;

use anyhow::{Context as _, Result, bail};

use crate::{shell, web};

/// What of the configuration an installer needs.
pub struct Facts {
    pub name: String,
    pub identifier: String,
    pub version: String,
    pub short: String,
    pub long: String,
    pub homepage: String,
    pub maintainer: String,
    pub licence: String,
    pub depends: Vec<String>,
}

fn facts() -> Result<Facts> {
    let place = shell::root().join("src-tauri/tauri.conf.json");
    let config: serde_json::Value = serde_json::from_str(&fs_err::read_to_string(&place)?)?;
    let text = |path: &str| -> Result<String> {
        let found = config.pointer(path).and_then(|value| value.as_str());
        Ok(found.with_context(|| format!("{} has no {path}", place.display()))?.to_owned())
    };
    let depends = config.pointer("/bundle/linux/deb/depends").and_then(|value| value.as_array());
    let depends = depends.with_context(|| format!("{} names no packages that it needs", place.display()))?;
    Ok(Facts {
        name: text("/productName")?,
        identifier: text("/identifier")?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        short: text("/bundle/shortDescription")?,
        long: text("/bundle/longDescription")?,
        homepage: text("/bundle/homepage")?,
        maintainer: text("/bundle/publisher")?,
        licence: text("/bundle/license")?,
        depends: depends.iter().filter_map(|value| value.as_str()).map(str::to_owned).collect(),
    })
}

/// `cargo xtask bundle [deb|appimage|dmg|msi] [--dev]`: the installer of this system, into `target/bundle/`. `--dev`:
/// of the programs as they were last built for work and tests.
pub fn bundle(arguments: &[String]) -> Result<()> {
    let dev = arguments.iter().any(|argument| argument == "--dev");
    let usual = if cfg!(target_os = "macos") {
        "dmg"
    } else if cfg!(windows) {
        "msi"
    } else {
        "deb"
    };
    let kind = arguments.iter().find(|argument| !argument.starts_with("--")).map_or(usual, String::as_str);
    match kind {
        "deb" => {
            if !dev {
                web::build()?;
                let programs = ["build", "--release", "--package", "paser-cli", "--package", "paser-studio"];
                shell::run(shell::cargo().args(programs))?;
            }
            let profile = shell::target().join(if dev { "debug" } else { "release" });
            let package = deb::write(&facts()?, &profile, &shell::target().join("bundle"))?;
            eprintln!("xtask: {}", package.display());
            Ok(())
        }
        "appimage" | "dmg" | "msi" if dev => bail!("only the Debian package can be made of the programs as they are"),
        "appimage" | "dmg" | "msi" => by_tauri(kind),
        other => bail!("there is no installer called {other}: deb, appimage, dmg or msi"),
    }
}

/// Tauri's bundler knows each system's own tools.
fn by_tauri(kind: &str) -> Result<()> {
    if shell::ask(shell::cargo().args(["tauri", "--version"])).is_none() {
        bail!(
            "for {kind} Tauri's own tool is needed: `cargo install tauri-cli --version '^2' --locked`. On its first run it fetches what the \
             system lacks (linuxdeploy for appimage, WiX for msi), which needs a network"
        );
    }
    web::build()?;
    shell::run(shell::cargo().args(["tauri", "build", "--bundles", kind]))
}
