//! Points by WebGL: positions are uploaded once, colours when they change. Used only where a few timed frames show that
//! it is fast with that many points; names of graphics cards are masked and say nothing. A lost context drops it with
//! the rest of the page.

use std::sync::{Arc, Mutex, PoisonError};

use egui::{Color32, Rect, Shape};
use egui_glow::{
    ShaderVersion,
    glow::{self, HasContext as _},
};

use super::{CROSS_STROKE, RING_STROKE, Scene};

/// Milliseconds that the median timed frame may take.
const FAST: f64 = 5.0;
const TIMED: usize = 5;
/// Of more points, so many are timed first: what is slow with these is so with all of them, and takes no second.
const FEW: usize = 50_000;

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
uniform float u_half;
uniform float u_stroke;
uniform float u_sign;
uniform vec4 u_ground;
in vec4 v_colour;
out vec4 o_colour;
float line(float across, float along) {
    return clamp(u_stroke * 0.5 + 0.5 - abs(across), 0.0, 1.0)
        * clamp(u_radius * 1.41421 + 0.5 - abs(along), 0.0, 1.0);
}
void main() {
    vec2 off = (gl_PointCoord * 2.0 - 1.0) * u_half;
    vec3 ink = v_colour.rgb;
    float cover = clamp(u_radius + 0.5 - length(off), 0.0, 1.0);
    if (u_sign > 2.5) {
        cover = clamp(u_stroke * 0.5 + 0.5 - abs(length(off) - u_radius), 0.0, 1.0);
    } else if (u_sign > 1.5) {
        float beyond = (abs(off.x) + abs(off.y) - u_radius) * 0.70711;
        cover = clamp(0.5 + u_stroke - beyond, 0.0, 1.0);
        ink = mix(u_ground.rgb, ink, clamp(0.5 - beyond, 0.0, 1.0));
    } else if (u_sign > 0.5) {
        float falling = (off.x - off.y) * 0.70711;
        float rising = (off.x + off.y) * 0.70711;
        cover = max(line(falling, rising), line(rising, falling));
    }
    cover *= v_colour.a;
    o_colour = vec4(ink * cover, cover);
}";

/// Milliseconds of timed frames, and for how many points they speak.
#[derive(Default)]
struct Times {
    points: usize,
    milliseconds: Vec<f64>,
    /// Fast, whatever the clock says.
    forced: bool,
}

impl Times {
    /// A frame with `points` took so long; frames with another number of points begin anew.
    fn note(&mut self, points: usize, milliseconds: f64) {
        if self.points != points || self.milliseconds.len() >= TIMED {
            *self = Self { points, ..Self::default() };
        }
        self.milliseconds.push(milliseconds);
    }

    /// None: not known for that many points. What is fast is so with fewer too, what is slow with more.
    fn is_fast(&self, points: usize) -> Option<bool> {
        if self.forced {
            return Some(true);
        }
        // The first frame compiles and uploads. Of the others the median counts, and no frame is drawn for it once it is
        // certain: on a machine without a graphics card each takes long.
        let counted = self.milliseconds.get(1..)?;
        let fast = counted.iter().filter(|time| **time <= FAST).count();
        let half = (TIMED - 1) / 2;
        let fast = if fast > half {
            true
        } else if counted.len() - fast >= half {
            false
        } else {
            return None;
        };
        let speaks = if fast { points <= self.points + self.points / 4 } else { points >= self.points * 4 / 5 };
        speaks.then_some(fast)
    }

    /// How many of so many points the next frame is timed with.
    fn next(&self, points: usize) -> usize {
        if points > FEW && self.points != points && self.is_fast(FEW) != Some(true) { FEW } else { points }
    }
}

#[derive(Default)]
struct Card {
    program: Option<glow::Program>,
    array: Option<glow::VertexArray>,
    places: Option<glow::Buffer>,
    colours: Option<glow::Buffer>,
    points: u64,
    paint: u64,
    count: i32,
    signs_array: Option<glow::VertexArray>,
    signs: Option<glow::Buffer>,
    times: Times,
    broken: bool,
}

/// Crosses or diamonds: how many from where in the buffer, and their look.
struct Sign {
    first: i32,
    count: i32,
    colour: Color32,
    /// In pixels.
    size: f32,
    stroke: f32,
    /// Which shape of the fragment shader.
    shape: f32,
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
    sign_places: Option<Vec<u8>>,
    signs: [Sign; 3],
    points: u64,
    paint: u64,
    count: i32,
    camera: [f32; 4],
    radius: f32,
    alpha: [f32; 2],
    muted: Color32,
    ground: Color32,
    clock: Option<fn() -> f64>,
}

impl Gl {
    /// Used without being timed first.
    pub fn untimed() -> Self {
        let times = Times { forced: true, ..Times::default() };
        Self { card: Arc::new(Mutex::new(Card { times, ..Card::default() })) }
    }

    /// Known to be fast (true) with that many points, slow or broken (false), or not yet known.
    pub fn is_fast(&self, points: usize) -> Option<bool> {
        let card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        if card.broken { Some(false) } else { card.times.is_fast(points) }
    }

    /// A shape that draws the scene. With a `clock` in milliseconds, the frame waits for the card and notes the time.
    pub fn shape(&self, scene: &Scene, pixels_per_point: f32, clock: Option<fn() -> f64>) -> Shape {
        let all = scene.points.order.len();
        let (held, old_paint, count) = {
            let card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
            ((card.points, card.count), card.paint, if clock.is_some() { card.times.next(all) } else { all })
        };
        // A shuffled order: the first of it are a random sample.
        let order = &scene.points.order[..count];
        let places = (held != (scene.points.id, count as i32)).then(|| {
            scene.points.shuffled[..count].iter().flat_map(|at| [at.x, at.y]).flat_map(f32::to_le_bytes).collect()
        });
        let colours = (places.is_some() || old_paint != scene.paint.id).then(|| {
            let of = |point: &u32| {
                let colour = scene.paint.colours[*point as usize];
                let kept = if scene.paint.faded[*point as usize] { 0 } else { 255 };
                [colour.r(), colour.g(), colour.b(), kept]
            };
            order.iter().flat_map(of).collect()
        });
        let signs = &scene.paint.signs;
        let sign_places = colours.is_some().then(|| {
            let places = signs.found.iter().chain(&signs.excluded).chain(&signs.pinned);
            places.flat_map(|at| [at.x, at.y]).flat_map(f32::to_le_bytes).collect()
        });
        let [rings, crosses, pins] = [&signs.found, &signs.excluded, &signs.pinned].map(|places| places.len() as i32);
        let sign = |first, count, colour, size: f32, stroke: f32, shape| Sign {
            first,
            count,
            colour,
            size: size * pixels_per_point,
            stroke: stroke * pixels_per_point,
            shape,
        };
        let (scale_x, scale_y) =
            (2.0 * scene.camera.scale / scene.rect.width(), 2.0 * scene.camera.scale / scene.rect.height());
        let [centre_x, centre_y] = scene.camera.centre;
        let frame = Frame {
            places,
            colours,
            sign_places,
            signs: [
                sign(0, rings, signs.ring, signs.ring_size, RING_STROKE, 3.0),
                sign(rings, crosses, signs.cross, signs.cross_size, CROSS_STROKE, 1.0),
                sign(rings + crosses, pins, signs.pin, signs.pin_size, 1.0, 2.0),
            ],
            points: scene.points.id,
            paint: scene.paint.id,
            count: order.len() as i32,
            camera: [scale_x, scale_y, -centre_x * scale_x, -centre_y * scale_y],
            radius: scene.dots.radius * pixels_per_point,
            alpha: [scene.dots.alpha_faded, scene.dots.alpha],
            muted: scene.muted,
            ground: scene.ground,
            clock,
        };
        let card = self.card.clone();
        let callback = egui_glow::CallbackFn::new(move |_info, painter| {
            let mut card = card.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = card.frame(painter.gl(), &frame) {
                card.broken = true;
                log::warn!("points by WebGL are not used: {error}");
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
            let signs_array = gl.create_vertex_array()?;
            let signs = gl.create_buffer()?;
            gl.bind_vertex_array(Some(signs_array));
            gl.bind_buffer(glow::ARRAY_BUFFER, Some(signs));
            gl.enable_vertex_attrib_array(0);
            gl.vertex_attrib_pointer_f32(0, 2, glow::FLOAT, false, 8, 0);
            gl.bind_vertex_array(None);
            gl.bind_buffer(glow::ARRAY_BUFFER, None);
            (self.program, self.array) = (Some(program), Some(array));
            (self.places, self.colours) = (Some(places), Some(colours));
            (self.signs_array, self.signs) = (Some(signs_array), Some(signs));
        }
        Ok(())
    }

    fn frame(&mut self, gl: &glow::Context, frame: &Frame) -> Result<(), String> {
        let began = frame.clock.map(|clock| clock());
        self.prepare(gl)?;
        // SAFETY: as in `prepare`; buffers hold `count` points of 8 and 4 bytes, as the vertex array says.
        unsafe {
            if let Some(bytes) = &frame.places {
                gl.bind_buffer(glow::ARRAY_BUFFER, self.places);
                gl.buffer_data_u8_slice(glow::ARRAY_BUFFER, bytes, glow::STATIC_DRAW);
                self.points = frame.points;
                self.count = frame.count;
            }
            if let (Some(colours), Some(signs)) = (&frame.colours, &frame.sign_places) {
                gl.bind_buffer(glow::ARRAY_BUFFER, self.colours);
                gl.buffer_data_u8_slice(glow::ARRAY_BUFFER, colours, glow::DYNAMIC_DRAW);
                gl.bind_buffer(glow::ARRAY_BUFFER, self.signs);
                gl.buffer_data_u8_slice(glow::ARRAY_BUFFER, signs, glow::DYNAMIC_DRAW);
                self.paint = frame.paint;
            }
            gl.bind_buffer(glow::ARRAY_BUFFER, None);
            let Some(program) = self.program else { return Ok(()) };
            gl.use_program(Some(program));
            let number = |name, value| gl.uniform_1_f32(gl.get_uniform_location(program, name).as_ref(), value);
            let four = |name, value: &_| gl.uniform_4_f32_slice(gl.get_uniform_location(program, name).as_ref(), value);
            let parts = |colour: Color32| [colour.r(), colour.g(), colour.b(), 255].map(|part| f32::from(part) / 255.0);
            let shape = |shape, radius: f32, stroke: f32, size: f32| {
                number("u_sign", shape);
                number("u_radius", radius);
                number("u_stroke", stroke);
                number("u_size", size.max(1.0));
                number("u_half", size.max(1.0) / 2.0);
            };
            four("u_camera", &frame.camera);
            four("u_muted", &parts(frame.muted));
            four("u_ground", &parts(frame.ground));
            shape(0.0, frame.radius, 0.0, frame.radius * 2.0 + 1.0);
            gl.bind_vertex_array(self.array);
            for (pass, alpha) in frame.alpha.iter().enumerate() {
                number("u_pass", pass as f32);
                number("u_alpha", *alpha);
                gl.draw_arrays(glow::POINTS, 0, self.count);
            }
            gl.bind_vertex_array(self.signs_array);
            number("u_alpha", 1.0);
            for sign in frame.signs.iter().filter(|sign| sign.count > 0) {
                // Without an array of colours, all of them have this one.
                let [red, green, blue, alpha] = parts(sign.colour);
                gl.vertex_attrib_4_f32(1, red, green, blue, alpha);
                shape(sign.shape, sign.size, sign.stroke, (sign.size + sign.stroke + 1.0) * 2.0);
                gl.draw_arrays(glow::POINTS, sign.first, sign.count);
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
            self.times.note(frame.count as usize, clock() - began);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(points: usize, milliseconds: f64) -> Times {
        let mut times = Times::default();
        for _ in 0..TIMED {
            times.note(points, milliseconds);
        }
        times
    }

    #[test]
    fn what_was_timed_with_few_points_is_timed_again_with_many() {
        let fast = timed(3_000, 1.0);
        assert_eq!((fast.is_fast(3_000), fast.is_fast(100)), (Some(true), Some(true)));
        assert_eq!(fast.is_fast(200_000), None);
        let slow = timed(200_000, 40.0);
        assert_eq!((slow.is_fast(300_000), slow.is_fast(3_000)), (Some(false), None));
        assert_eq!(Times::default().next(1_000_000), FEW);
        let few = timed(FEW, 40.0);
        assert_eq!(few.is_fast(1_000_000), Some(false), "no frame of all of them is drawn to know it");
        let mut few = timed(FEW, 1.0);
        assert_eq!((few.is_fast(1_000_000), few.next(1_000_000)), (None, 1_000_000));
        few.note(1_000_000, 3.0);
        assert_eq!(few.next(1_000_000), 1_000_000, "what was begun is brought to its end");
        let mut times = timed(3_000, 1.0);
        times.note(200_000, 40.0);
        assert_eq!(times.is_fast(200_000), None, "the old frames do not count");
        let known_after = |frames: &[f64]| {
            let mut times = Times::default();
            frames.iter().position(|time| {
                times.note(9_000, *time);
                times.is_fast(9_000).is_some()
            })
        };
        assert_eq!(known_after(&[300.0, 40.0, 40.0, 1.0, 1.0]), Some(2), "two slow ones of four decide");
        assert_eq!(known_after(&[300.0, 1.0, 40.0, 1.0, 1.0]), Some(4), "one slow one is an accident");
        assert_eq!(Times { forced: true, ..Times::default() }.is_fast(1), Some(true));
    }
}
