//! The page: draws a number of frames with each painter in turn, pans a little in each, and leaves the times of every
//! frame in `window.__figures`. Query: `frames`, `rounds`, and `wait` for frames that wait until they are drawn.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use egui::{Id, LayerId, Order, PaintCallback, Rect, Vec2};
use egui_glow::glow::{self, HasContext as _};
use serde_json::{Value, json};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::field::{Field, Painter};

const COUNTS: [usize; 3] = [3_000, 52_000, 200_000];
/// Frames before the counted ones: first pictures, uploads, shaders.
const WARM: usize = 5;
/// Milliseconds after which a slow painter's turn ends.
const LONGEST: f64 = 10_000.0;
/// Points of the screen from one frame to the next, and how far to either side.
const STEP: f32 = 4.0;
const REACH: f32 = 160.0;

pub fn start() {
    wasm_bindgen_futures::spawn_local(async {
        if let Err(error) = open().await {
            publish(&json!({ "error": format!("{error:?}") }));
        }
    });
}

async fn open() -> Result<(), JsValue> {
    let canvas = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id("canvas"))
        .ok_or_else(|| JsValue::from_str("the page has no canvas"))?;
    let canvas: web_sys::HtmlCanvasElement = canvas.dyn_into()?;
    let runner = eframe::WebRunner::new();
    runner.start(canvas, ui::web::options(), Box::new(|context| Ok(Box::new(Page::new(context))))).await
}

fn publish(value: &Value) {
    if let (Some(window), Ok(value)) = (web_sys::window(), js_sys::JSON::parse(&value.to_string())) {
        let _ = js_sys::Reflect::set(&window, &"__figures".into(), &value);
    }
}

fn milliseconds() -> f64 {
    web_sys::window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now())
}

/// One painter's frames on one field, one after the other.
struct Turn {
    field: usize,
    painter: Painter,
    round: usize,
    /// Frames drawn so far.
    drawn: usize,
    began: f64,
    last: f64,
    /// Milliseconds from the start of a frame to the start of the next.
    intervals: Vec<f64>,
    /// Milliseconds of a frame in the page: layout, tessellation, and handing over to the graphics card.
    work: Vec<f64>,
    /// Milliseconds from the start of a frame until the graphics card has drawn it, where that is waited for.
    drawing: Vec<f64>,
}

impl Turn {
    fn value(&self) -> Value {
        json!({
            "painter": self.painter.name(),
            "points": COUNTS[self.field],
            "round": self.round,
            "interval_ms": self.intervals,
            "work_ms": self.work,
            "drawn_ms": self.drawing,
        })
    }
}

struct Page {
    fields: Vec<Field>,
    frames: usize,
    waiting: VecDeque<Turn>,
    turns: Vec<Value>,
    /// When the card had drawn the last frame.
    drawn: Option<Arc<Mutex<f64>>>,
}

impl Page {
    fn new(context: &eframe::CreationContext<'_>) -> Self {
        let query = &context.integration_info.web_info.location.query_map;
        let number = |name: &str, otherwise: usize| {
            query.get(name).and_then(|values| values.first()).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
        };
        let (frames, rounds) = (number("frames", 40), number("rounds", 3));
        let mut waiting = VecDeque::new();
        for round in 0..rounds {
            for field in 0..COUNTS.len() {
                waiting.extend(Painter::ALL.map(|painter| Turn {
                    field,
                    painter,
                    round,
                    drawn: 0,
                    began: 0.0,
                    last: 0.0,
                    intervals: Vec::new(),
                    work: Vec::new(),
                    drawing: Vec::new(),
                }));
            }
        }
        let fields = COUNTS.iter().zip(1..).map(|(count, id)| Field::new(*count, id)).collect();
        let drawn = query.contains_key("wait").then(Arc::default);
        Self { fields, frames, waiting, turns: Vec::new(), drawn }
    }

    fn publish(&self) {
        publish(&json!({ "done": self.waiting.is_empty(), "turns": self.turns }));
    }
}

impl eframe::App for Page {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let now = milliseconds();
        let Some(turn) = self.waiting.front_mut() else { return };
        if turn.drawn > WARM {
            turn.intervals.push(rounded(now - turn.last));
            match &self.drawn {
                Some(drawn) => {
                    turn.drawing.push(rounded(*drawn.lock().unwrap_or_else(PoisonError::into_inner) - turn.last));
                }
                None => turn.work.push(rounded(f64::from(frame.info().cpu_usage.unwrap_or_default()) * 1_000.0)),
            }
        }
        if turn.intervals.len() >= self.frames || (turn.drawn > WARM && now - turn.began > LONGEST) {
            self.turns.push(turn.value());
            self.waiting.pop_front();
            self.publish();
        }
        let Some(turn) = self.waiting.front_mut() else { return };
        if turn.drawn == 0 {
            turn.began = now;
        }
        // To and fro, so that all painters always have points to draw.
        let way = turn.drawn as f32 * STEP % (4.0 * REACH);
        let shift = REACH - ((way + REACH) % (4.0 * REACH) - 2.0 * REACH).abs();
        let rect = ui.ctx().content_rect();
        let seconds = ui.input(|input| input.time);
        self.fields[turn.field].draw(ui, rect, turn.painter, Vec2::new(shift, 0.0), turn.drawn, seconds);
        turn.drawn += 1;
        turn.last = now;
        if let Some(drawn) = &self.drawn {
            let top = LayerId::new(Order::Debug, Id::unique("drawn"));
            ui.ctx().layer_painter(top).add(when_drawn(rect, drawn.clone()));
        }
        ui.ctx().request_repaint();
    }
}

/// The last of a frame: waits for the card and notes the time.
fn when_drawn(rect: Rect, drawn: Arc<Mutex<f64>>) -> PaintCallback {
    let callback = egui_glow::CallbackFn::new(move |_info, painter| {
        wait(painter.gl());
        *drawn.lock().unwrap_or_else(PoisonError::into_inner) = milliseconds();
    });
    PaintCallback { rect, callback: Arc::new(callback) }
}

/// Reading one pixel back waits until the card has drawn.
#[expect(unsafe_code, reason = "every call into OpenGL is unsafe in glow")]
fn wait(gl: &glow::Context) {
    let mut pixel = [0_u8; 4];
    // SAFETY: the context is the current one, inside of egui_glow's paint callback; the pixel has its four bytes.
    unsafe {
        gl.read_pixels(0, 0, 1, 1, glow::RGBA, glow::UNSIGNED_BYTE, glow::PixelPackData::Slice(Some(&mut pixel)));
    }
}

/// To hundredths of a millisecond.
fn rounded(milliseconds: f64) -> f64 {
    (milliseconds * 100.0).round() / 100.0
}
