//! Draws points into a picture on the processor: the view and a margin. The picture is moved while one pans or zooms
//! and drawn sharply again at rest, so that a moving frame costs one textured quad at any number of points.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use egui::{Color32, ColorImage, Context, Rect, TextureHandle, TextureOptions, Ui, Vec2, pos2};

use super::{
    CROSS_STROKE, Camera, RING_STROKE, Scene, Signs,
    thinning::{HELD, Shown, bound, shares},
};

/// Seconds of rest before the picture is drawn again.
const REST: f64 = 0.1;
/// Share of the view's size drawn beyond each edge.
const MARGIN: f32 = 0.25;

/// The picture, and what it was drawn for.
#[derive(Default)]
pub struct Raster {
    picture: Option<TextureHandle>,
    drawn: Option<Drawn>,
    wanted: Option<Camera>,
    moved: f64,
    shown: Option<Shown>,
    scene: Option<Scene>,
}

#[derive(Clone, Copy, PartialEq)]
struct Drawn {
    camera: Camera,
    view: Vec2,
    pixels_per_point: f32,
    points: u64,
    paint: u64,
    ground: Color32,
    /// Size of the picture in points of the screen.
    size: Vec2,
}

impl Raster {
    /// What the picture leaves out; none where it leaves out nothing.
    pub fn shown(&self) -> Option<Shown> {
        self.shown
    }

    /// Whether the picture was drawn for the camera that it was shown under last.
    pub fn is_sharp(&self) -> bool {
        self.drawn.map(|drawn| drawn.camera) == self.wanted
    }

    /// Paints the scene; `now` in seconds. Asks for a repaint while the picture is not sharp.
    pub fn show(&mut self, ui: &Ui, scene: &Scene, now: f64) {
        if self.wanted != Some(scene.camera) {
            self.wanted = Some(scene.camera);
            self.moved = now;
        }
        let pixels_per_point = ui.pixels_per_point();
        let same = self.drawn.is_some_and(|drawn| {
            drawn.points == scene.points.id
                && drawn.paint == scene.paint.id
                && drawn.ground == scene.ground
                && drawn.pixels_per_point == pixels_per_point
        });
        let sharp = same && self.drawn.is_some_and(|d| d.camera == scene.camera && d.view == scene.rect.size());
        let resting = now - self.moved >= REST;
        if !same || (!sharp && resting) {
            self.draw(ui.ctx(), scene, pixels_per_point);
        } else if !sharp {
            ui.ctx().request_repaint_after_secs((REST - (now - self.moved)).max(0.01) as f32);
        }
        let (Some(picture), Some(drawn)) = (&self.picture, self.drawn) else { return };
        // Where the drawn picture lies under the camera of this frame.
        let zoom = scene.camera.scale / drawn.camera.scale;
        let centre = scene.camera.to_screen(scene.rect, Vec2::from(drawn.camera.centre));
        let place = Rect::from_center_size(centre, drawn.size * zoom);
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        // The picture is opaque: ground is drawn only where it has moved away.
        if !place.contains_rect(scene.rect) {
            ui.painter_at(scene.rect).rect_filled(scene.rect, 0.0, scene.ground);
        }
        ui.painter_at(scene.rect).image(picture.id(), place, uv, Color32::WHITE);
    }

    /// The picture's texture, and what was drawn into it last.
    pub fn into_drawn(self) -> Option<(egui::TextureId, Scene)> {
        Some((self.picture?.id(), self.scene?))
    }

    fn draw(&mut self, ctx: &Context, scene: &Scene, pixels_per_point: f32) {
        let side = ctx.input(|input| input.max_texture_side) as f32;
        let view = scene.rect.size();
        let want = view * (1.0 + 2.0 * MARGIN) * pixels_per_point;
        // An even number of pixels more than the view keeps pixels on pixels at rest.
        let even = |want: f32, view: f32| {
            let view = (view * pixels_per_point).round();
            let extra = ((want.min(side).floor() - view) / 2.0).floor().max(0.0) * 2.0;
            (view + extra).clamp(1.0, side.max(1.0))
        };
        let pixels = [even(want.x, view.x) as usize, even(want.y, view.y) as usize];
        let size = Vec2::new(pixels[0] as f32, pixels[1] as f32) / pixels_per_point;
        let mut canvas = Canvas::new(pixels, scene.ground);
        self.shown = canvas.draw(scene, pixels_per_point, HELD);
        let image = ColorImage::new(pixels, canvas.pixels);
        match &mut self.picture {
            Some(picture) => picture.set(image, TextureOptions::LINEAR),
            None => self.picture = Some(ctx.load_texture("map", image, TextureOptions::LINEAR)),
        }
        self.scene = Some(scene.clone());
        self.drawn = Some(Drawn {
            camera: scene.camera,
            view,
            pixels_per_point,
            points: scene.points.id,
            paint: scene.paint.id,
            ground: scene.ground,
            size,
        });
    }
}

/// An opaque picture that discs and signs are blended into.
pub struct Canvas {
    width: usize,
    height: usize,
    pub pixels: Vec<Color32>,
}

/// Sub-pixel places of a shape's centre, each way.
const PHASES: usize = 4;

/// The pixels that a shape covers, for one sub-pixel place of its centre: offset from the centre's pixel, and coverage
/// of 256.
struct Stamp {
    cells: Vec<(i32, i32, u32)>,
}

impl Stamp {
    fn new(radius: f32, phase: usize, cover: &dyn Fn(Vec2) -> f32) -> Self {
        let reach = (radius + 1.0).ceil() as i32;
        let centre = |phase: usize| (phase as f32 + 0.5) / PHASES as f32;
        let (centre_x, centre_y) = (centre(phase % PHASES), centre(phase / PHASES));
        let mut cells = Vec::new();
        for y in -reach..=reach {
            for x in -reach..=reach {
                let off = Vec2::new(x as f32 + 0.5 - centre_x, y as f32 + 0.5 - centre_y);
                let cover = (cover(off).clamp(0.0, 1.0) * 256.0).round() as u32;
                if cover > 0 {
                    cells.push((x, y, cover));
                }
            }
        }
        Self { cells }
    }

    /// A shape within `radius` at all sub-pixel places, row by row. `cover`: share of the pixel that lies `off` from
    /// its centre.
    fn all(radius: f32, cover: impl Fn(Vec2) -> f32) -> Vec<Self> {
        (0..PHASES * PHASES).map(|phase| Self::new(radius, phase, &cover)).collect()
    }

    fn discs(radius: f32, alpha: f32) -> Vec<Self> {
        Self::all(radius, |off| (radius + 0.5 - off.length()).clamp(0.0, 1.0) * alpha)
    }

    /// Half a diagonal is `radius`.
    fn diamonds(radius: f32) -> Vec<Self> {
        Self::all(radius, |off| 0.5 - (off.x.abs() + off.y.abs() - radius) * FRAC_1_SQRT_2)
    }

    fn rings(radius: f32, width: f32) -> Vec<Self> {
        Self::all(radius + width, |off| (width + 1.0) / 2.0 - (off.length() - radius).abs())
    }

    /// Two lines of `width` across a square of half a side `radius`.
    fn crosses(radius: f32, width: f32) -> Vec<Self> {
        let line = move |across: f32, along: f32| {
            let side = (width / 2.0 + 0.5 - across.abs()).clamp(0.0, 1.0);
            side * (radius * SQRT_2 + 0.5 - along.abs()).clamp(0.0, 1.0)
        };
        Self::all(radius + width, move |off| {
            let (falling, rising) = ((off.x - off.y) * FRAC_1_SQRT_2, (off.x + off.y) * FRAC_1_SQRT_2);
            line(falling, rising).max(line(rising, falling))
        })
    }
}

impl Canvas {
    pub fn new([width, height]: [usize; 2], ground: Color32) -> Self {
        Self { width, height, pixels: vec![ground; width * height] }
    }

    /// All points, the grey ones first, then the coloured; one by one at most `held` of them. What of those in the view is
    /// left out.
    pub fn draw(&mut self, scene: &Scene, pixels_per_point: f32, held: usize) -> Option<Shown> {
        let scale = scene.camera.scale * pixels_per_point;
        let middle = Vec2::new(self.width as f32, self.height as f32) / 2.0;
        let [centre_x, centre_y] = scene.camera.centre;
        let place =
            move |at: Vec2| Vec2::new(middle.x + (at.x - centre_x) * scale, middle.y - (at.y - centre_y) * scale);
        let dots = scene.dots;
        let (grey, coloured) = scene.paint.marks.split_at(scene.paint.grey);
        let mut shown = None;
        if dots.density < 1.0 {
            let radius = (dots.radius * pixels_per_point).max(0.5);
            let firm = 1.0 - dots.density;
            let faint = Stamp::discs(radius, dots.alpha_faded * firm);
            let stamps = Stamp::discs(radius, dots.alpha * firm);
            if scene.paint.keys.is_empty() {
                for (at, _) in grey {
                    self.stamp(place(*at), scene.muted, radius, &faint);
                }
                for (at, colour) in coloured {
                    self.stamp(place(*at), *colour, radius, &stamps);
                }
            } else {
                let whole = Rect::from_min_size(pos2(0.0, 0.0), middle * 2.0);
                let view = Rect::from_center_size(middle.to_pos2(), scene.rect.size() * pixels_per_point);
                let inside = |marks: &[(Vec2, Color32)], area: Rect| {
                    marks.iter().filter(|(at, _)| area.contains(place(*at).to_pos2())).count()
                };
                let (of_coloured, of_grey) = shares(inside(coloured, whole), inside(grey, whole), held);
                let (grey_keys, coloured_keys) = scene.paint.keys.split_at(scene.paint.grey);
                let mut drawn = 0;
                let kept = bound(of_grey);
                for ((at, _), _) in grey.iter().zip(grey_keys).filter(|(_, key)| u32::from(**key) < kept) {
                    drawn += usize::from(view.contains(place(*at).to_pos2()));
                    self.stamp(place(*at), scene.muted, radius, &faint);
                }
                let kept = bound(of_coloured);
                for ((at, colour), _) in coloured.iter().zip(coloured_keys).filter(|(_, key)| u32::from(**key) < kept) {
                    drawn += usize::from(view.contains(place(*at).to_pos2()));
                    self.stamp(place(*at), *colour, radius, &stamps);
                }
                let of = inside(grey, view) + inside(coloured, view);
                // Under the density picture none is missing: it counts all of them.
                shown = (drawn < of && dots.density <= 0.0).then_some(Shown { drawn, of });
            }
        }
        if dots.density > 0.0 {
            self.shade(grey, coloured, scene.muted, place, dots.density);
        }
        self.signs(&scene.paint.signs, scene.ground, pixels_per_point, place);
        shown
    }

    /// Rings, crosses, and diamonds with a rim in the colour of the ground.
    fn signs(&mut self, signs: &Signs, ground: Color32, pixels_per_point: f32, place: impl Fn(Vec2) -> Vec2) {
        if !signs.found.is_empty() {
            let (ring, width) = (signs.ring_size * pixels_per_point, RING_STROKE * pixels_per_point);
            let stamps = Stamp::rings(ring, width);
            for at in &signs.found {
                self.stamp(place(*at), signs.ring, ring + width, &stamps);
            }
        }
        let (cross, stroke) = (signs.cross_size * pixels_per_point, CROSS_STROKE * pixels_per_point);
        if !signs.excluded.is_empty() {
            let stamps = Stamp::crosses(cross, stroke);
            for at in &signs.excluded {
                self.stamp(place(*at), signs.cross, cross + stroke, &stamps);
            }
        }
        if !signs.pinned.is_empty() {
            let (pin, rim) = (signs.pin_size * pixels_per_point, signs.pin_size * pixels_per_point + pixels_per_point);
            let (rims, stamps) = (Stamp::diamonds(rim), Stamp::diamonds(pin));
            for at in &signs.pinned {
                self.stamp(place(*at), ground, rim, &rims);
                self.stamp(place(*at), signs.pin, pin, &stamps);
            }
        }
    }

    fn stamp(&mut self, at: Vec2, colour: Color32, radius: f32, stamps: &[Stamp]) {
        let reach = radius + 2.0;
        let (width, height) = (self.width as f32, self.height as f32);
        if at.x < -reach || at.y < -reach || at.x > width + reach || at.y > height + reach {
            return;
        }
        let (x, y) = (at.x.floor(), at.y.floor());
        let phase = |fraction: f32| ((fraction * PHASES as f32) as usize).min(PHASES - 1);
        let stamp = &stamps[phase(at.y - y) * PHASES + phase(at.x - x)];
        let (x, y) = (x as i32, y as i32);
        let ink = Ink::new(colour);
        if at.x > reach && at.y > reach && at.x < width - reach && at.y < height - reach {
            let home = y * self.width as i32 + x;
            for &(off_x, off_y, cover) in &stamp.cells {
                ink.over(&mut self.pixels[(home + off_y * self.width as i32 + off_x) as usize], cover);
            }
            return;
        }
        for &(off_x, off_y, cover) in &stamp.cells {
            let (column, row) = (x + off_x, y + off_y);
            if column >= 0 && row >= 0 && (column as usize) < self.width && (row as usize) < self.height {
                ink.over(&mut self.pixels[row as usize * self.width + column as usize], cover);
            }
        }
    }

    /// Counts points per pixel; the mean colour, firmer the more there are.
    fn shade(
        &mut self,
        grey: &[(Vec2, Color32)],
        coloured: &[(Vec2, Color32)],
        muted: Color32,
        place: impl Fn(Vec2) -> Vec2,
        share: f32,
    ) {
        let mut counts = vec![[0_u32; 4]; self.width * self.height];
        // A coloured point weighs as much as three grey ones.
        let marks = grey.iter().map(|(at, _)| (*at, muted, 1)).chain(coloured.iter().map(|(at, c)| (*at, *c, 3)));
        for (at, colour, weight) in marks {
            let at = place(at);
            if at.x >= 0.0 && at.y >= 0.0 && at.x < self.width as f32 && at.y < self.height as f32 {
                let cell = &mut counts[at.y as usize * self.width + at.x as usize];
                cell[0] += u32::from(colour.r()) * weight;
                cell[1] += u32::from(colour.g()) * weight;
                cell[2] += u32::from(colour.b()) * weight;
                cell[3] += weight;
            }
        }
        let most = counts.iter().map(|cell| cell[3]).max().unwrap_or(0).max(1);
        let cover = |count: u32| {
            let firm = (count as f32).ln_1p() / (most as f32).ln_1p();
            ((0.25 + 0.75 * firm) * share * 256.0) as u32
        };
        // Most pixels hold few points: their logarithms are taken once.
        let covers: Vec<u32> = (0..=most.min(1_024)).map(cover).collect();
        for (pixel, cell) in self.pixels.iter_mut().zip(&counts) {
            if cell[3] > 0 {
                let mean = [cell[0], cell[1], cell[2]].map(|sum| (sum / cell[3]) as u8);
                let cover = covers.get(cell[3] as usize).copied().unwrap_or_else(|| cover(cell[3]));
                Ink::new(Color32::from_rgb(mean[0], mean[1], mean[2])).over(pixel, cover);
            }
        }
    }
}

/// A colour ready to be blended: red and blue in one number, green in another, so that two products do for three.
#[derive(Clone, Copy)]
struct Ink {
    red_blue: u32,
    green: u32,
}

impl Ink {
    fn new(colour: Color32) -> Self {
        Self { red_blue: u32::from(colour.r()) << 16 | u32::from(colour.b()), green: u32::from(colour.g()) }
    }

    /// `cover` of 256 over an opaque pixel.
    fn over(self, pixel: &mut Color32, cover: u32) {
        let keep = 256 - cover;
        let under = u32::from(pixel.r()) << 16 | u32::from(pixel.b());
        let red_blue = (under * keep + self.red_blue * cover) >> 8;
        let green = (u32::from(pixel.g()) * keep + self.green * cover) >> 8;
        *pixel = Color32::from_rgb((red_blue >> 16) as u8, green as u8, red_blue as u8);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use egui::vec2;

    use std::collections::BTreeMap;

    use super::*;
    use crate::map::{Dots, Paint, Points, Thinning};

    fn scene(faded: bool, density: f32) -> Scene {
        let points = Rc::new(Points::new(&[0.0, 0.0, 1.0, 1.0, f32::NAN, 0.0], 1));
        let paint = Paint::new(&points, vec![Color32::from_rgb(255, 0, 0); 3].into(), vec![faded; 3], None, 1);
        Scene {
            points,
            paint: Rc::new(paint),
            camera: Camera { centre: [0.0, 0.0], scale: 10.0, fitted: false },
            rect: Rect::from_min_size(pos2(0.0, 0.0), vec2(40.0, 40.0)),
            ground: Color32::BLACK,
            muted: Color32::from_gray(100),
            dots: Dots { radius: 2.0, alpha: 1.0, alpha_faded: 1.0, density },
        }
    }

    #[test]
    fn a_point_lies_where_the_camera_puts_it() {
        let mut canvas = Canvas::new([40, 40], Color32::BLACK);
        canvas.draw(&scene(false, 0.0), 1.0, HELD);
        let at = |x: usize, y: usize| canvas.pixels[y * 40 + x];
        assert!(at(20, 20).r() > 250);
        assert!(at(30, 10).r() > 250, "y grows upwards");
        assert_eq!(at(30, 30), Color32::BLACK);
    }

    #[test]
    fn what_was_found_stands_in_a_ring() {
        let mut scene = scene(false, 0.0);
        let ring = Color32::from_rgb(0, 0, 255);
        let signs = Signs { found: vec![vec2(0.0, 0.0)], ring, ring_size: 5.0, ..Signs::default() };
        let paint = Paint::new(&scene.points, vec![Color32::from_rgb(255, 0, 0); 3].into(), vec![false; 3], None, 2);
        scene.paint = Rc::new(paint.with_signs(signs));
        let mut canvas = Canvas::new([40, 40], Color32::BLACK);
        canvas.draw(&scene, 1.0, HELD);
        let at = |x: usize, y: usize| canvas.pixels[y * 40 + x];
        assert!(at(25, 20).b() > 100 && at(20, 25).b() > 100 && at(15, 20).b() > 100);
        assert!(at(20, 20).r() > 250 && at(20, 20).b() == 0, "the point within is seen");
    }

    #[test]
    fn pins_and_crosses_lie_over_the_points_in_the_picture() {
        let mut scene = scene(false, 0.0);
        let signs = Signs {
            pinned: vec![vec2(0.0, 0.0)],
            excluded: vec![vec2(1.0, 1.0)],
            pin: Color32::from_rgb(0, 0, 255),
            cross: Color32::from_rgb(0, 255, 0),
            pin_size: 4.0,
            cross_size: 3.0,
            ..Signs::default()
        };
        let paint = Paint::new(&scene.points, vec![Color32::from_rgb(255, 0, 0); 3].into(), vec![false; 3], None, 2);
        scene.paint = Rc::new(paint.with_signs(signs));
        let mut canvas = Canvas::new([40, 40], Color32::BLACK);
        canvas.draw(&scene, 1.0, HELD);
        let at = |x: usize, y: usize| canvas.pixels[y * 40 + x];
        assert_eq!(at(20, 20), Color32::from_rgb(0, 0, 255));
        assert_eq!((at(23, 23), at(15, 20)), (Color32::BLACK, Color32::BLACK), "a diamond has no corners");
        assert!(at(30, 10).g() > 200 && at(32, 12).g() > 100 && at(28, 12).g() > 100, "both lines of the cross");
        assert_eq!(at(30, 14).g(), 0);
    }

    #[test]
    fn a_picture_that_cannot_hold_all_says_what_it_leaves_out_and_keeps_what_is_brushed() {
        let mut scene = scene(false, 0.0);
        // A hundred points in the view, ten of them brushed.
        let xy: Vec<f32> =
            (0..100).flat_map(|at| [at as f32 % 10.0 / 5.0 - 0.9, (at / 10) as f32 / 5.0 - 0.9]).collect();
        let points = Rc::new(Points::new(&xy, 2));
        let red = Color32::from_rgb(255, 0, 0);
        let faded = || (0..100).map(|row| row % 10 > 0).collect();
        let thinning = Thinning::new(&points, Some(&[0; 100]));
        scene.paint = Rc::new(Paint::new(&points, vec![red; 100].into(), faded(), Some(&thinning), 3));
        scene.points = points.clone();
        scene.dots.radius = 0.5;
        let draw = |held| Canvas::new([40, 40], Color32::BLACK).draw(&scene, 1.0, held);
        assert_eq!(draw(100), None);
        // Every point is alone in its part of the map: none of them is the only one of its kind to be left out.
        assert_eq!(draw(40), None);
        let near: Vec<f32> = xy.iter().map(|at| at * 1e-3).chain([9.0, 9.0]).collect();
        let near = Points::new(&near, 4);
        let keys: BTreeMap<u32, u16> = near.order.iter().copied().zip(Thinning::new(&near, None).keys).collect();
        let one_part = Thinning { keys: points.order.iter().map(|row| keys[row]).collect() };
        scene.paint = Rc::new(Paint::new(&points, vec![red; 100].into(), faded(), Some(&one_part), 5));
        let mut canvas = Canvas::new([40, 40], Color32::BLACK);
        let shown = canvas.draw(&scene, 1.0, 40).expect("sixty are left out");
        assert!(shown.of == 100 && (35..=45).contains(&shown.drawn), "{shown:?}");
        let brushed = canvas.pixels.iter().filter(|pixel| pixel.r() > 100 && pixel.g() < 50).count();
        assert!(brushed >= 10, "all that is brushed is there: {brushed}");
        scene.dots.density = 1.0;
        assert_eq!(canvas.draw(&scene, 1.0, 40), None, "the density picture counts all");
    }

    #[test]
    fn what_is_out_of_the_brush_is_grey_and_there() {
        for density in [0.0, 1.0] {
            let mut canvas = Canvas::new([40, 40], Color32::BLACK);
            canvas.draw(&scene(true, density), 1.0, HELD);
            let pixel = canvas.pixels[20 * 40 + 20];
            assert!(pixel.r() > 20 && pixel.r() == pixel.g(), "{pixel:?}");
        }
    }
}
