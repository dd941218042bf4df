#[cfg(target_arch = "wasm32")]
fn main() {
    ui::web::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("The window runs in a web view: `cargo xtask web` builds it, `paser serve` and the desktop program show it.");
}
