//! Starts nothing by itself: in WebAssembly `boot.js` calls `Studio.start`; natively it says where the window is.
fn main() {
    #[cfg(target_arch = "wasm32")]
    ui::web::ready();
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!(
        "The window runs in a web view: `cargo xtask web` builds it, `paser serve` and the desktop program show it."
    );
}
