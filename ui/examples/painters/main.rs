//! Frame times of the map's painters beside `egui_plot`, in a page of its own that `cargo xtask figures` builds and
//! opens. The painters are the window's; only the order of the frames is kept here.

#[cfg(target_arch = "wasm32")]
mod field;
#[cfg(target_arch = "wasm32")]
mod page;

fn main() {
    #[cfg(target_arch = "wasm32")]
    page::start();
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("Frame times are taken in a browser: `cargo xtask figures` builds this page and opens it.");
}
