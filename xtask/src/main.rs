//! `cargo xtask <command>`: set-up, build and checks of the whole project, in Rust.

mod bench;
mod bundle;
mod demo;
mod figures;
mod icons;
mod screenshots;
mod setup;
mod shell;
mod test;
mod walk;
mod web;

use std::env;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask demo          set up this machine, build everything, open the program on the demo
cargo xtask test          set up this machine, then every check: what CI runs
cargo xtask studio [DIR]  build and open the desktop program
cargo xtask web           build the window for the web view and the browser into dist/
cargo xtask bundle [KIND] an installer of this system: deb, appimage, dmg or msi; --dev: of what was built last
cargo xtask icons         the icons in every form, from icons/icon.svg
cargo xtask screenshots   every picture of the README, from the real program
cargo xtask figures [DIR] the window's figures, on the demo or a copy of the project in DIR, in benches/runs/
cargo xtask walk [MINUTES] [DIR]  an hour of clicks in the real window, and the memory it holds, in benches/runs/
cargo xtask bench         ours and peers on the same inputs, raw results in benches/runs/
cargo xtask bench ui      the map at up to 2.6 million points beside egui_plot, and a project of a million samples
cargo xtask synthetic DIR a made-up project: [--samples 1000000] [--seed 1]
cargo xtask setup         only install what this machine lacks";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    match arguments.first().map(String::as_str) {
        Some("demo") => demo::demo(rest),
        Some("studio") => demo::studio(rest),
        Some("test") => test::test(),
        Some("web") => web::build(),
        Some("screenshots") => screenshots::screenshots(rest),
        Some("figures") => figures::figures(rest),
        Some("walk") => walk::walk(rest),
        Some("bundle") => bundle::bundle(rest),
        Some("icons") => icons::icons(),
        Some("bench") => bench::bench(rest),
        Some("synthetic") => figures::synthetic(rest),
        Some("setup") => setup::everything(),
        Some("help" | "--help" | "-h") => {
            println!("{HELP}");
            Ok(())
        }
        other => bail!("unknown command {}\n\n{HELP}", other.unwrap_or("(none)")),
    }
}
