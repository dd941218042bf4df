//! The window's files as they were when the program was built.

include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

/// Shown instead of the window where the program was built without it.
pub const MISSING: &str = "<!doctype html><meta charset=utf-8><title>PASER Studio</title>\
<p>This program was built without its window. Run <code>cargo xtask web</code>, then build it again.";

/// A file of the bundle.
pub fn file(name: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(file, _)| *file == name).map(|(_, bytes)| *bytes)
}

pub fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
