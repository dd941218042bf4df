//! What a fresh machine lacks: system packages, the wasm target, the test tools. Every step looks first and is free
//! where nothing is missing.

mod packages;
mod tools;
mod wasm;

use anyhow::Result;

pub use tools::driver_path;
pub use wasm::Toolchain;

/// Everything that `demo` and `test` need.
pub fn everything() -> Result<()> {
    for_window()?;
    for_tests()
}

/// Enough to build and open the window.
pub fn for_window() -> Result<()> {
    packages::install("build and open the window", packages::WINDOW)?;
    wasm::ensure().map(drop)
}

/// Enough to drive the real window and a real browser.
pub fn for_tests() -> Result<()> {
    packages::install("drive the window and a browser in tests", packages::TESTS)?;
    tools::nextest()?;
    tools::driver()
}

/// The compiler for the web view's target.
pub fn wasm_toolchain() -> Result<Toolchain> {
    wasm::ensure()
}
