//! The standard library for `wasm32-unknown-unknown`: by rustup, else from Debian's packages.
//!
//! The fallback unpacks Debian's own compiler for the web and its library source into a private folder (nothing is
//! installed system-wide), builds the standard library once into that private sysroot and hands out its path.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::shell;

pub const TARGET: &str = "wasm32-unknown-unknown";

/// Which compiler builds the window.
#[derive(Debug)]
pub struct Toolchain {
    /// None: the workspace's own.
    pub rustc: Option<PathBuf>,
}

/// Makes the target available; free where it is.
pub fn ensure() -> Result<Toolchain> {
    if has_target(&mut Command::new("rustc")) {
        return Ok(Toolchain { rustc: None });
    }
    if shell::run(Command::new("rustup").args(["target", "add", TARGET])).is_ok()
        && has_target(&mut Command::new("rustc"))
    {
        return Ok(Toolchain { rustc: None });
    }
    eprintln!("xtask: rustup could not bring {TARGET}; building it from Debian's packages");
    let folder = cache().join("paser-studio-wasm");
    let rustc = folder.join("usr/bin/rustc");
    if !has_target(&mut Command::new(&rustc)) {
        from_debian(&folder).with_context(|| format!("the fallback for {TARGET} failed"))?;
    }
    Ok(Toolchain { rustc: Some(rustc) })
}

fn has_target(rustc: &mut Command) -> bool {
    let Some(sysroot) = shell::ask(rustc.args(["--print", "sysroot"])) else { return false };
    fs_err::read_dir(Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib"))
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-")))
}

fn cache() -> PathBuf {
    env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .unwrap_or_else(shell::target)
}

fn from_debian(folder: &Path) -> Result<()> {
    let packages = folder.join("deb");
    fs_err::create_dir_all(&packages)?;
    let version = shell::ask(Command::new("apt-cache").args(["policy", "rustc-web"]))
        .and_then(|text| Some(text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?.to_owned()))
        .context("apt knows no package `rustc-web`: run `apt-get update`, or install rustup's wasm target by hand")?;
    let series: String = version.split('.').take(2).collect::<Vec<_>>().join(".");
    let library = format!("libstd-rust-web-{series}");
    let depends = shell::ask(Command::new("apt-cache").args(["depends", &library])).unwrap_or_default();
    let llvm = depends
        .split_whitespace()
        .find(|word| word.starts_with("libllvm"))
        .context("the LLVM package of Debian's compiler was not found")?;
    shell::run(
        Command::new("apt-get")
            .current_dir(&packages)
            .args(["download", "-qq"])
            .args(["rustc-web", "rust-web-src", "libstd-rust-web-dev"].map(|name| format!("{name}={version}")))
            .args([format!("{library}={version}"), llvm.to_owned()]),
    )?;
    for entry in fs_err::read_dir(&packages)? {
        shell::run(Command::new("dpkg-deb").arg("-x").arg(entry?.path()).arg(folder))?;
    }
    fs_err::remove_dir_all(&packages)?;
    let usr = folder.join("usr");
    borrow_linker(&usr)?;
    wrap_compiler(&usr)?;
    build_library(folder, &usr)
}

/// Debian's compiler has no linker for the web: the installed toolchain's does it. A link, because that linker finds
/// its libraries beside its real path.
#[cfg(unix)]
fn borrow_linker(usr: &Path) -> Result<()> {
    let sysroot = shell::ask(Command::new("rustc").args(["--print", "sysroot"])).context("rustc is missing")?;
    let host = "x86_64-unknown-linux-gnu";
    let linker = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
    if !linker.is_file() {
        bail!("{} is missing", linker.display());
    }
    let place = usr.join("lib/rustlib").join(host).join("bin");
    fs_err::create_dir_all(&place)?;
    let link = place.join("rust-lld");
    if !link.exists() {
        fs_err::os::unix::fs::symlink(&linker, &link)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn borrow_linker(_usr: &Path) -> Result<()> {
    bail!("the fallback works on Debian and Ubuntu only")
}

/// The unpacked compiler finds its libraries in the same private folder.
#[cfg(unix)]
fn wrap_compiler(usr: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let (wrapper, real) = (usr.join("bin/rustc"), usr.join("bin/rustc.real"));
    fs_err::rename(&wrapper, &real)?;
    let script = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH={}:$LD_LIBRARY_PATH exec {} \"$@\"\n",
        usr.join("lib/x86_64-linux-gnu").display(),
        real.display()
    );
    fs_err::write(&wrapper, script)?;
    fs_err::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(not(unix))]
fn wrap_compiler(_usr: &Path) -> Result<()> {
    bail!("the fallback works on Debian and Ubuntu only")
}

/// Builds an empty crate with its own standard library, and keeps the library.
fn build_library(folder: &Path, usr: &Path) -> Result<()> {
    let seed = folder.join("seed");
    fs_err::create_dir_all(seed.join("src"))?;
    fs_err::write(
        seed.join("Cargo.toml"),
        "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n",
    )?;
    fs_err::write(seed.join("src/lib.rs"), "")?;
    shell::run(
        Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(&seed)
            .env("RUSTC", usr.join("bin/rustc"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", seed.join("target"))
            .env_remove("RUSTFLAGS")
            .args(["build", "-Zbuild-std=std,panic_abort", "--release", "--target", TARGET]),
    )?;
    let library = usr.join("lib/rustlib").join(TARGET).join("lib");
    fs_err::create_dir_all(&library)?;
    for entry in fs_err::read_dir(seed.join("target").join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libseed") {
            fs_err::copy(&path, library.join(name))?;
        }
    }
    fs_err::remove_dir_all(&seed)?;
    Ok(())
}
