//! The page around the window: start, way to the engine, what outlives a reload, hooks for tests, and the report of a
//! panic. The only file that knows a browser; `boot.js` calls `start` again after a lost WebGL context.

use std::{
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

use js_sys::Reflect;
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};

use crate::{
    App, a11y,
    app::{Host, prepare},
    saved::Saved,
    theme::Look,
    transport::http::Http,
};

const STORAGE: &str = "paser-studio";

/// Called once when the module is loaded. A name of this crate that `main` uses, so that what is exported is kept.
pub fn ready() {
    let _ = eframe::WebLogger::init(log::LevelFilter::Warn);
}

/// How the canvas is drawn. Nothing in the window is a gradient, and without a graphics card dithering is a tenth of a
/// frame.
pub fn options() -> eframe::WebOptions {
    eframe::WebOptions { dithering: false, ..Default::default() }
}

/// Frames drawn since the module was loaded.
static FRAMES: AtomicU32 = AtomicU32::new(0);

/// For `calm.js`: changes whenever a frame was drawn.
#[wasm_bindgen]
pub fn frames() -> u32 {
    FRAMES.load(Ordering::Relaxed)
}

/// The running window, as `boot.js` holds it.
#[wasm_bindgen]
pub struct Studio {
    runner: eframe::WebRunner,
}

#[wasm_bindgen]
impl Studio {
    /// Puts the window into the canvas with this id.
    pub async fn start(canvas: String) -> Result<Studio, JsValue> {
        let element = window()
            .and_then(|window| window.document())
            .and_then(|document| document.get_element_by_id(&canvas))
            .ok_or_else(|| JsValue::from_str("the page has no canvas"))?;
        let element: web_sys::HtmlCanvasElement = element.dyn_into()?;
        let runner = eframe::WebRunner::new();
        runner.start(element, options(), Box::new(|context| Ok(Box::new(Page::new(context))))).await?;
        Ok(Self { runner })
    }

    /// What the window panicked with; none while it is well.
    pub fn panic(&self) -> Option<String> {
        self.runner.panic_summary().map(|summary| format!("{}\n{}", summary.message(), summary.callstack()))
    }

    /// Takes the window out of its canvas.
    pub fn stop(&self) {
        self.runner.destroy();
    }
}

fn window() -> Option<web_sys::Window> {
    web_sys::window()
}

fn milliseconds() -> f64 {
    window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now())
}

fn seconds_since_1970() -> u64 {
    (js_sys::Date::now() / 1_000.0) as u64
}

fn less_motion() -> bool {
    window()
        .and_then(|window| window.match_media("(prefers-reduced-motion: reduce)").ok().flatten())
        .is_some_and(|query| query.matches())
}

fn storage() -> Option<web_sys::Storage> {
    window()?.local_storage().ok().flatten()
}

/// What `boot.js` took out of the address, for as long as this tab lives.
fn kept(name: &str) -> Option<String> {
    window()?.session_storage().ok().flatten()?.get_item(&format!("paser-{name}")).ok().flatten()
}

/// Sets a property of the page's window to a value given as JSON.
fn publish(name: &str, json: &str) {
    if let (Some(window), Ok(value)) = (window(), js_sys::JSON::parse(json)) {
        let _ = Reflect::set(&window, &name.into(), &value);
    }
}

struct Page {
    app: App,
    saved: Saved,
    saved_at: f64,
    /// Tests look on.
    watched: bool,
    frames: u64,
}

impl Page {
    fn new(context: &eframe::CreationContext<'_>) -> Self {
        prepare(&context.egui_ctx);
        let query = &context.integration_info.web_info.location.query_map;
        let get = |name: &str| query.get(name).and_then(|values| values.first()).cloned();
        let watched = get("e2e").is_some();
        if watched {
            context.egui_ctx.add_plugin(a11y::A11yTap(Box::new(|json| publish("__a11y", &json))));
        }
        let door = |name: &str| get(name).or_else(|| kept(name)).unwrap_or_default();
        let own = Some((door("own"), door("own-token"))).filter(|(base, _)| !base.is_empty());
        let transport = Http::new(&door("engine"), &door("token"), own);
        let host = Host {
            clock: Some(milliseconds),
            wall: Some(seconds_since_1970),
            has_gl: context.gl.is_some() && get("painter").as_deref() != Some("texture"),
            force_gl: get("painter").as_deref() == Some("webgl"),
            less_motion: less_motion(),
            cleared: true,
        };
        let mut saved: Saved = storage()
            .and_then(|storage| storage.get_item(STORAGE).ok().flatten())
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        match get("theme").as_deref() {
            Some("dark") => saved.mode = crate::theme::Mode::Dark,
            Some("light") => saved.mode = crate::theme::Mode::Light,
            _ => {}
        }
        let app = App::new(Rc::new(transport), host, saved.clone());
        Self { app, saved, saved_at: 0.0, watched, frames: 0 }
    }
}

impl eframe::App for Page {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let began = milliseconds();
        let ctx = ui.ctx().clone();
        self.app.ui(ui);
        self.frames += 1;
        FRAMES.fetch_add(1, Ordering::Relaxed);
        if began - self.saved_at > 500.0 {
            let saved = self.app.saved(&ctx);
            if saved != self.saved
                && let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(&saved))
            {
                let _ = storage.set_item(STORAGE, &text);
                self.saved = saved;
                self.saved_at = began;
            }
        } else if self.app.saved(&ctx) != self.saved {
            ctx.request_repaint_after_secs(0.5);
        }
        // A test asks for the end that a mistake in the window would bring.
        if self.watched
            && window()
                .is_some_and(|window| Reflect::get(&window, &"__paser_panic".into()).is_ok_and(|ask| ask.is_truthy()))
        {
            panic!("a test asked for a panic");
        }
        if self.watched {
            let took = milliseconds() - began;
            let mut summary = self.app.summary(&ctx);
            summary["frames"] = self.frames.into();
            summary["frame_ms"] = took.into();
            summary["last_frame_work_ms"] = frame.info().cpu_usage.map(|seconds| seconds * 1_000.0).into();
            summary["now_ms"] = began.into();
            publish("__paser", &summary.to_string());
        }
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        Look::of(visuals.dark_mode).line.to_normalized_gamma_f32()
    }
}
