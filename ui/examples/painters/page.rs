//! The page: for one size after the other, draws a number of frames with each painter in turn, pans a little in each,
//! rests until the picture is sharp, points and lassoes, and leaves the times in `window.__figures`. Query: `counts`,
//! `frames`, `rounds`, and `wait` for frames that wait until they are drawn.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use egui::{Id, LayerId, Order, PaintCallback, Rect, Vec2};
use egui_glow::glow::{self, HasContext as _};
use serde_json::{Value, json};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::field::{Field, Painter};

/// Frames before the counted ones: first pictures, uploads, shaders.
const WARM: usize = 5;
/// Milliseconds after which a slow painter's turn ends.
const LONGEST: f64 = 4_000.0;
/// Milliseconds of a frame beyond which a painter is not asked again at that size, nor at larger ones.
const TOO_LONG: f64 = 20_000.0;
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

pub fn milliseconds() -> f64 {
    web_sys::window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now())
}

/// One painter's frames on one field, one after the other.
struct Turn {
    count: usize,
    painter: Painter,
    round: usize,
    /// Frames drawn so far.
    drawn: usize,
    began: f64,
    last: f64,
    /// When the camera last moved, once it rests.
    rests: Option<f64>,
    /// Milliseconds from the start of a frame to the start of the next.
    intervals: Vec<f64>,
    /// Milliseconds of a frame in the page: layout, tessellation, and handing over to the graphics card.
    work: Vec<f64>,
    /// Milliseconds from the start of a frame until the graphics card has drawn it, where that is waited for.
    drawing: Vec<f64>,
    /// Milliseconds from the last movement to the end of the frame with the sharp picture.
    sharp: Vec<f64>,
}

impl Turn {
    fn new(count: usize, painter: Painter, round: usize) -> Self {
        Self {
            count,
            painter,
            round,
            drawn: 0,
            began: 0.0,
            last: 0.0,
            rests: None,
            intervals: Vec::new(),
            work: Vec::new(),
            drawing: Vec::new(),
            sharp: Vec::new(),
        }
    }

    fn value(&self) -> Value {
        json!({
            "painter": self.painter.name(),
            "points": self.count,
            "round": self.round,
            "interval_ms": self.intervals,
            "work_ms": self.work,
            "drawn_ms": self.drawing,
            "rest_to_sharp_ms": self.sharp,
        })
    }

    /// Frames that are drawn before any counts: of a slow painter one.
    fn is_warm(&self, now: f64) -> bool {
        self.drawn > WARM || (self.drawn > 1 && now - self.began > LONGEST / 4.0)
    }
}

struct Page {
    field: Option<(usize, Field)>,
    frames: usize,
    waiting: VecDeque<Turn>,
    turns: Vec<Value>,
    /// Of every size: what it takes to make and to ask its points.
    sizes: Vec<Value>,
    /// The smallest size that a painter was too slow for.
    bounds: Vec<(Painter, usize)>,
    /// When the card had drawn the last frame.
    drawn: Option<Arc<Mutex<f64>>>,
}

impl Page {
    fn new(context: &eframe::CreationContext<'_>) -> Self {
        let query = &context.integration_info.web_info.location.query_map;
        let text = |name: &str| query.get(name).and_then(|values| values.first());
        let number = |name: &str, otherwise: usize| text(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
        let (frames, rounds) = (number("frames", 40), number("rounds", 3));
        let counts = text("counts").map(String::as_str).unwrap_or("3000,52000,200000");
        let mut waiting = VecDeque::new();
        for count in counts.split(',').filter_map(|count| count.parse().ok()) {
            for round in 0..rounds {
                waiting.extend(Painter::ALL.map(|painter| Turn::new(count, painter, round)));
            }
        }
        let drawn = query.contains_key("wait").then(Arc::default);
        Self { field: None, frames, waiting, turns: Vec::new(), sizes: Vec::new(), bounds: Vec::new(), drawn }
    }

    fn publish(&self) {
        let bounds: Vec<Value> =
            self.bounds.iter().map(|(painter, count)| json!({ "painter": painter.name(), "points": count })).collect();
        publish(&json!({
            "done": self.waiting.is_empty(), "turns": self.turns, "sizes": self.sizes, "too_slow": bounds,
        }));
    }

    /// Notes the times of the frame before this one. True: the turn is over.
    fn note(&mut self, now: f64, work: f32) -> bool {
        let Some(turn) = self.waiting.front_mut() else { return false };
        if turn.drawn == 0 {
            return false;
        }
        if now - turn.last > TOO_LONG {
            self.bounds.push((turn.painter, turn.count));
        }
        if let Some(rests) = turn.rests {
            let sharp = self.field.as_ref().is_some_and(|(_, field)| field.is_sharp());
            if sharp {
                turn.sharp.push(rounded(now - rests));
            }
            return sharp || now - rests > LONGEST;
        }
        if turn.is_warm(now) || now - turn.last > LONGEST {
            turn.intervals.push(rounded(now - turn.last));
            match &self.drawn {
                Some(drawn) => {
                    turn.drawing.push(rounded(*drawn.lock().unwrap_or_else(PoisonError::into_inner) - turn.last));
                }
                None => turn.work.push(rounded(f64::from(work) * 1_000.0)),
            }
        }
        let enough = turn.intervals.len() >= self.frames;
        if !enough && (turn.intervals.is_empty() || now - turn.began <= LONGEST) {
            return false;
        }
        if turn.painter == Painter::Texture {
            // The last movement was that of the frame before.
            turn.rests = Some(turn.last);
            return false;
        }
        true
    }
}

impl eframe::App for Page {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let now = milliseconds();
        if self.note(now, frame.info().cpu_usage.unwrap_or_default())
            && let Some(turn) = self.waiting.pop_front()
        {
            self.turns.push(turn.value());
            self.publish();
        }
        let bounds = &self.bounds;
        let is_hopeless =
            |turn: &Turn| bounds.iter().any(|(painter, most)| turn.painter == *painter && turn.count >= *most);
        self.waiting.retain(|turn| !is_hopeless(turn));
        let Some(turn) = self.waiting.front() else {
            self.publish();
            return;
        };
        if self.field.as_ref().is_none_or(|(count, _)| *count != turn.count) {
            // The last one's memory is used again.
            self.field = None;
            let (field, size) = Field::measured(turn.count, self.sizes.len() as u64 + 1, ui.ctx().content_rect());
            self.field = Some((turn.count, field));
            self.sizes.push(size);
            // A frame of its own: the next one is the first that counts.
            ui.ctx().request_repaint();
            return;
        }
        let (Some(turn), Some((_, field))) = (self.waiting.front_mut(), &mut self.field) else { return };
        let now = milliseconds();
        if turn.drawn == 0 {
            turn.began = now;
        }
        // To and fro, so that all painters always have points to draw.
        let steps = turn.drawn - usize::from(turn.rests.is_some());
        let way = steps as f32 * STEP % (4.0 * REACH);
        let shift = REACH - ((way + REACH) % (4.0 * REACH) - 2.0 * REACH).abs();
        let rect = ui.ctx().content_rect();
        let seconds = ui.input(|input| input.time);
        field.draw(ui, rect, turn.painter, Vec2::new(shift, 0.0), turn.drawn, seconds);
        if turn.rests.is_none() {
            turn.drawn += 1;
            turn.last = now;
        }
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
pub fn rounded(milliseconds: f64) -> f64 {
    (milliseconds * 100.0).round() / 100.0
}
