//! Points by WebGL: positions are uploaded once, colours when they change. Used only where a few timed frames show that
//! it is fast; names of graphics cards are masked and say nothing. A lost context drops it with the rest of the page.

use std::sync::{Arc, Mutex, PoisonError};

use egui::{Color32, Rect, Shape};
use egui_glow::{
    ShaderVersion,
    glow::{self, HasContext as _},
};

use super::Scene;

/// Milliseconds that the median timed frame may take.
const FAST: f64 = 5.0;
const TIMED: usize = 5;

const VERTEX: &str = r"
layout(location = 0) in vec2 place;
layout(location = 1) in vec4 colour;
uniform vec4 u_camera;
uniform float u_size;
uniform float u_pass;
uniform vec4 u_muted;
uniform float u_alpha;
out vec4 v_colour;
void main() {
    bool faded = colour.a < 0.5;
    bool drawn = faded == (u_pass < 0.5);
    gl_Position = drawn ? vec4(place * u_camera.xy + u_camera.zw, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
    gl_PointSize = u_size;
    vec3 ink = faded ? u_muted.rgb : colour.rgb;
    v_colour = vec4(ink, u_alpha);
}";

const FRAGMENT: &str = r"
precision mediump float;
uniform float u_radius;
in vec4 v_colour;
out vec4 o_colour;
void main() {
    float off = length(gl_PointCoord * 2.0 - 1.0) * (u_radius + 0.5);
    float cover = clamp(u_radius + 0.5 - off, 0.0, 1.0) * v_colour.a;
    o_colour = vec4(v_colour.rgb * cover, cover);
}";

#[derive(Default)]
struct Card {
    program: Option<glow::Program>,
    array: Option<glow::VertexArray>,
    places: Option<glow::Buffer>,
    colours: Option<glow::Buffer>,
    points: u64,
    paint: u64,
    count: i32,
    times: Vec<f64>,
    broken: bool,
}

/// The painter's handle; clones share the card's memory.
#[derive(Clone, Default)]
pub struct Gl {
    card: Arc<Mutex<Card>>,
}

/// What a frame of it needs, free of borrowed state.
struct Frame {
    places: Option<Vec<u8>>,
    colours: Option<Vec<u8>>,
    points: u64,
    paint: u64,
    count: i32,
    camera: [f32; 4],
    radius: f32,
    alpha: [f32; 2],
    muted: Color32,
    clock: Option<fn() -> f64>,
}

impl Gl {
    /// Used without being timed first.
    pub fn untimed() -> Self {
        Self { card: Arc::new(Mutex::new(Card { times: vec![0.0; TIMED], ..Card::default() })) }
    }

    /// Known to be fast (true), slow or broken (false), or not yet known.
    pub fn is_fast(&self) -> Option<bool> {
        let card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        if card.broken {
            return Some(false);
        }
        if card.times.len() < TIMED {
            return None;
        }
        // The first frame compiles and uploads.
        let mut times = card.times[1..].to_vec();
        times.sort_by(f64::total_cmp);
        Some(times[times.len() / 2] <= FAST)
    }

    /// A shape that draws the scene. With a `clock` in milliseconds, the frame waits for the card and notes the time.
    pub fn shape(&self, scene: &Scene, pixels_per_point: f32, clock: Option<fn() -> f64>) -> Shape {
        let (old_points, old_paint) = {
            let card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
            (card.points, card.paint)
        };
        let order = &scene.points.order;
        let places = (old_points != scene.points.id).then(|| {
            let at = |point: &u32| scene.points.places[*point as usize];
            order.iter().flat_map(|point| [at(point).x, at(point).y]).flat_map(f32::to_le_bytes).collect()
        });
        let colours = (places.is_some() || old_paint != scene.paint.id).then(|| {
            let of = |point: &u32| {
                let colour = scene.paint.colours[*point as usize];
                let kept = if scene.paint.faded[*point as usize] { 0 } else { 255 };
                [colour.r(), colour.g(), colour.b(), kept]
            };
            order.iter().flat_map(of).collect()
        });
        let (scale_x, scale_y) =
            (2.0 * scene.camera.scale / scene.rect.width(), 2.0 * scene.camera.scale / scene.rect.height());
        let [centre_x, centre_y] = scene.camera.centre;
        let frame = Frame {
            places,
            colours,
            points: scene.points.id,
            paint: scene.paint.id,
            count: order.len() as i32,
            camera: [scale_x, scale_y, -centre_x * scale_x, -centre_y * scale_y],
            radius: scene.dots.radius * pixels_per_point,
            alpha: [scene.dots.alpha_faded, scene.dots.alpha],
            muted: scene.muted,
            clock,
        };
        let card = self.card.clone();
        let callback = egui_glow::CallbackFn::new(move |_info, painter| {
            let mut card = card.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = card.frame(painter.gl(), &frame) {
                card.broken = true;
                eprintln!("points by WebGL are not used: {error}");
            }
        });
        egui::PaintCallback { rect: Rect::from_min_max(scene.rect.min, scene.rect.max), callback: Arc::new(callback) }
            .into()
    }
}

#[expect(unsafe_code, reason = "every call into OpenGL is unsafe in glow")]
impl Card {
    fn prepare(&mut self, gl: &glow::Context) -> Result<(), String> {
        if self.program.is_some() {
            return Ok(());
        }
        let head = ShaderVersion::get(gl).version_declaration();
        // SAFETY: the context is the current one, inside of egui_glow's paint callback; all handles come from it.
        unsafe {
            let program = gl.create_program()?;
            for (kind, text) in [(glow::VERTEX_SHADER, VERTEX), (glow::FRAGMENT_SHADER, FRAGMENT)] {
                let shader = gl.create_shader(kind)?;
                gl.shader_source(shader, &format!("{head}\n{text}"));
                gl.compile_shader(shader);
                if !gl.get_shader_compile_status(shader) {
                    return Err(gl.get_shader_info_log(shader));
                }
                gl.attach_shader(program, shader);
                gl.delete_shader(shader);
            }
            gl.link_program(program);
            if !gl.get_program_link_status(program) {
                return Err(gl.get_program_info_log(program));
            }
            let array = gl.create_vertex_array()?;
            let (places, colours) = (gl.create_buffer()?, gl.create_buffer()?);
            gl.bind_vertex_array(Some(array));
            gl.bind_buffer(glow::ARRAY_BUFFER, Some(places));
            gl.enable_vertex_attrib_array(0);
            gl.vertex_attrib_pointer_f32(0, 2, glow::FLOAT, false, 8, 0);
            gl.bind_buffer(glow::ARRAY_BUFFER, Some(colours));
            gl.enable_vertex_attrib_array(1);
            gl.vertex_attrib_pointer_f32(1, 4, glow::UNSIGNED_BYTE, true, 4, 0);
            gl.bind_vertex_array(None);
            gl.bind_buffer(glow::ARRAY_BUFFER, None);
            (self.program, self.array) = (Some(program), Some(array));
            (self.places, self.colours) = (Some(places), Some(colours));
        }
        Ok(())
    }

    fn frame(&mut self, gl: &glow::Context, frame: &Frame) -> Result<(), String> {
        let began = frame.clock.map(|clock| clock());
        self.prepare(gl)?;
        // SAFETY: as in `prepare`; buffers hold `count` points of 8 and 4 bytes, as the vertex array says.
        unsafe {
            if let Some(bytes) = frame.places.as_ref().filter(|_| self.points != frame.points) {
                gl.bind_buffer(glow::ARRAY_BUFFER, self.places);
                gl.buffer_data_u8_slice(glow::ARRAY_BUFFER, bytes, glow::STATIC_DRAW);
                self.points = frame.points;
                self.count = frame.count;
            }
            if let Some(bytes) = frame.colours.as_ref().filter(|_| self.paint != frame.paint) {
                gl.bind_buffer(glow::ARRAY_BUFFER, self.colours);
                gl.buffer_data_u8_slice(glow::ARRAY_BUFFER, bytes, glow::DYNAMIC_DRAW);
                self.paint = frame.paint;
            }
            gl.bind_buffer(glow::ARRAY_BUFFER, None);
            let Some(program) = self.program else { return Ok(()) };
            gl.use_program(Some(program));
            let place = |name| gl.get_uniform_location(program, name);
            gl.uniform_4_f32_slice(place("u_camera").as_ref(), &frame.camera);
            gl.uniform_1_f32(place("u_size").as_ref(), (frame.radius * 2.0 + 1.0).max(1.0));
            gl.uniform_1_f32(place("u_radius").as_ref(), frame.radius);
            let muted = [frame.muted.r(), frame.muted.g(), frame.muted.b(), 255].map(|part| f32::from(part) / 255.0);
            gl.uniform_4_f32_slice(place("u_muted").as_ref(), &muted);
            gl.bind_vertex_array(self.array);
            for (pass, alpha) in frame.alpha.iter().enumerate() {
                gl.uniform_1_f32(place("u_pass").as_ref(), pass as f32);
                gl.uniform_1_f32(place("u_alpha").as_ref(), *alpha);
                gl.draw_arrays(glow::POINTS, 0, self.count);
            }
            gl.bind_vertex_array(None);
            if frame.clock.is_some() {
                // Reading one pixel back waits until the card has drawn.
                let mut pixel = [0_u8; 4];
                gl.read_pixels(
                    0,
                    0,
                    1,
                    1,
                    glow::RGBA,
                    glow::UNSIGNED_BYTE,
                    glow::PixelPackData::Slice(Some(&mut pixel)),
                );
            }
        }
        if let (Some(began), Some(clock)) = (began, frame.clock) {
            self.times.push(clock() - began);
        }
        Ok(())
    }
}
