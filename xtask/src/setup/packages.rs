//! System packages, by apt on Debian and Ubuntu: installed as root, else printed as the exact command.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// Headers of the web view, and a C compiler for SQLite and the tokenizer's regular expressions.
pub const WINDOW: &[&str] = &["build-essential", "pkg-config", "libwebkit2gtk-4.1-dev"];

/// A screen without a monitor, both WebDrivers, and fonts that the browser draws other scripts with.
pub const TESTS: &[&str] =
    &["webkit2gtk-driver", "xvfb", "xauth", "dbus", "dbus-x11", "chromium", "chromium-driver", "fonts-noto-cjk"];

/// Installs what is missing of `packages`.
///
/// # Errors
/// Not root: the command to type. A package that apt cannot find or install.
pub fn install(purpose: &str, packages: &[&str]) -> Result<()> {
    if shell::ask(Command::new("dpkg").arg("--version")).is_none() {
        eprintln!("xtask: no Debian packages here; to {purpose} this system needs its own: {}", elsewhere());
        return Ok(());
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if shell::ask(Command::new("id").arg("-u")).as_deref() != Some("0") {
        bail!(
            "to {purpose} these packages are missing. Please run\n\n    sudo apt-get update && sudo apt-get install -y --no-install-recommends {list}\n\nand then this command again"
        );
    }
    shell::run(Command::new("apt-get").args(["update", "-q"]))?;
    shell::run(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "-q", "--no-install-recommends"])
            .args(&missing),
    )
}

/// What does on other systems what the packages above do on Debian.
fn elsewhere() -> &'static str {
    if cfg!(target_os = "macos") {
        "Xcode's command line tools (xcode-select --install); for the tests also Chromium and chromedriver"
    } else if cfg!(windows) {
        "the C++ build tools of Visual Studio and WebView2; for the tests also Chromium and chromedriver"
    } else {
        "a C compiler, pkg-config and the development files of WebKitGTK 4.1 (webkit2gtk4.1-devel on Fedora, \
         webkit2gtk-4.1 on Arch); for the tests also WebKitWebDriver, Xvfb, D-Bus, Chromium and chromedriver"
    }
}

fn is_installed(package: &str) -> bool {
    shell::ask(Command::new("dpkg-query").args(["-W", "-f=${Status}", package]))
        .is_some_and(|status| status == "install ok installed")
}
