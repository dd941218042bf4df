//! The points that every painter draws: twelve round clusters, the same at every start, and one frame of each painter
//! with the camera moved.

use std::rc::Rc;

use egui::{Color32, Rect, Ui, UiBuilder, Vec2};
use egui_plot::{Plot, PlotBounds, PlotPoint, PlotPoints};
use serde_json::{Value, json};
use ui::{
    focus::Focus,
    map::{Camera, Dots, Paint, Points, Scene, Thinning, gl::Gl, raster::Raster, region, thinning::HELD},
    theme::Look,
};

use crate::page::{milliseconds, rounded};

const CLUSTERS: usize = 12;
/// Places that are pointed at, and corners of the drawn line.
const PICKS: usize = 500;
const LASSO: usize = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Painter {
    /// The ground without points: what a frame costs by itself.
    Empty,
    /// The picture, moved.
    Texture,
    /// The picture, drawn anew in every frame, as at rest or when the colours change.
    TextureAnew,
    WebGl,
    /// `egui_plot` points without axes and grid, one series a cluster.
    EguiPlot,
}

impl Painter {
    pub const ALL: [Self; 5] = [Self::Empty, Self::Texture, Self::TextureAnew, Self::WebGl, Self::EguiPlot];

    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Texture => "texture",
            Self::TextureAnew => "texture-anew",
            Self::WebGl => "webgl",
            Self::EguiPlot => "egui_plot",
        }
    }
}

pub struct Field {
    points: Rc<Points>,
    clusters: Vec<u32>,
    /// The same colours under two numbers: a painter that sees the other number draws again.
    paints: [Rc<Paint>; 2],
    series: Vec<Vec<PlotPoint>>,
    raster: Raster,
    raster_anew: Raster,
    gl: Gl,
}

impl Field {
    /// `count` points; `id` tells this field from others. And what it takes to make them and to ask for some of them.
    pub fn measured(count: usize, id: u64, rect: Rect) -> (Self, Value) {
        let (positions, clusters) = blobs(count);
        let began = milliseconds();
        let points = Rc::new(Points::new(&positions, id));
        let indexed = milliseconds();
        drop(positions);
        let paint = |number| Rc::new(painted(&points, &clusters, &Focus::default(), number));
        let first = paint(2 * id);
        let coloured = milliseconds();
        let bytes = points.places.len() * size_of::<Vec2>()
            + points.order.len() * (size_of::<u32>() + size_of::<Vec2>())
            + first.colours.len() * size_of::<Color32>()
            + first.faded.len()
            + first.marks.len() * size_of::<(Vec2, Color32)>()
            + first.keys.len() * size_of::<u16>();
        let paints = [first, paint(2 * id + 1)];
        let mut series = vec![Vec::new(); CLUSTERS];
        for (place, cluster) in points.places.iter().zip(&clusters) {
            series[*cluster as usize].push(PlotPoint::new(place.x, place.y));
        }
        let (raster, raster_anew, gl) = (Raster::default(), Raster::default(), Gl::untimed());
        let field = Self { points, clusters, paints, series, raster, raster_anew, gl };
        let size = json!({
            "points": count,
            "index_ms": rounded(indexed - began),
            "colours_ms": rounded(coloured - indexed),
            // Beside the grid: a number a point and one a cell, of which there are half as many.
            "page_bytes": bytes + 6 * count,
            "graphics_memory_bytes": 12 * count,
            "hover_pick": field.pick(rect),
            "lasso": field.lasso(),
        });
        (field, size)
    }

    /// Whether the picture that is moved fits the camera.
    pub fn is_sharp(&self) -> bool {
        self.raster.is_sharp()
    }

    /// Microseconds of finding the point under the pointer: the mean of many places, and the longest.
    fn pick(&self, rect: Rect) -> Value {
        let look = Look::of(true);
        let radius = look.map.hit_radius / Camera::fit(self.points.bounds, rect).scale;
        let mut random = Random(11);
        let (mut longest, mut found) = (0.0_f64, 0);
        let began = milliseconds();
        for _ in 0..PICKS {
            let row = (random.share() * self.points.places.len() as f32) as usize;
            let at = self.points.places[row.min(self.points.places.len() - 1)] + Vec2::splat(radius / 3.0);
            let one = milliseconds();
            found += usize::from(self.points.grid.nearest(&self.points.places, at, radius).is_some());
            longest = longest.max(milliseconds() - one);
        }
        let mean = (milliseconds() - began) / PICKS as f64;
        json!({ "places": PICKS, "found": found, "mean_us": rounded(mean * 1e3), "longest_us": rounded(longest * 1e3) })
    }

    /// Milliseconds of a lasso around half of the map: its points, how many of each cluster, and the new colours.
    fn lasso(&self) -> Value {
        let bounds = self.points.bounds;
        let reach = bounds.size() * 0.5;
        let line: Vec<Vec2> = (0..LASSO)
            .map(|step| {
                let angle = step as f32 / LASSO as f32 * std::f32::consts::TAU;
                let wave = 0.6 + 0.1 * (7.0 * angle).sin();
                bounds.center().to_vec2() + Vec2::new(angle.cos(), angle.sin()) * reach * wave
            })
            .collect();
        let began = milliseconds();
        let polygon = region::simplified(&line, bounds.width() / 1_000.0);
        let rows = self.points.grid.within(&self.points.places, &polygon);
        let found = milliseconds();
        let mut counts = [0_u32; CLUSTERS];
        for row in &rows {
            counts[self.clusters[*row as usize] as usize] += 1;
        }
        let counted = milliseconds();
        let number = rows.len();
        let mut focus = Focus::default();
        focus.set_rows(rows, None);
        let paint = painted(&self.points, &self.clusters, &focus, 0);
        let coloured = milliseconds();
        json!({
            "corners": polygon.len(),
            "rows": number,
            "in_clusters": counts.iter().filter(|count| **count > 0).count(),
            "coloured_marks": paint.marks.len() - paint.grey,
            "rows_ms": rounded(found - began),
            "counts_ms": rounded(counted - found),
            "colours_ms": rounded(coloured - counted),
        })
    }

    /// Ground and all points in `rect`, moved by `shift` points of the screen; `frame` counts, `now` is in seconds.
    pub fn draw(&mut self, ui: &mut Ui, rect: Rect, painter: Painter, shift: Vec2, frame: usize, now: f64) {
        let look = Look::of(true);
        let mut camera = Camera::fit(self.points.bounds, rect);
        camera.pan(shift);
        let scene = |paint: &Rc<Paint>| Scene {
            points: self.points.clone(),
            paint: paint.clone(),
            camera,
            rect,
            ground: look.canvas,
            muted: look.muted,
            dots: Dots::of(&look.map, &self.points, &camera, ui.pixels_per_point()),
        };
        // The picture brings its own.
        if !matches!(painter, Painter::Texture | Painter::TextureAnew) {
            ui.painter().rect_filled(rect, 0.0, look.canvas);
        }
        match painter {
            Painter::Empty => {}
            Painter::Texture => {
                let scene = scene(&self.paints[0]);
                self.raster.show(ui, &scene, now);
            }
            Painter::TextureAnew => {
                let scene = scene(&self.paints[frame % 2]);
                self.raster_anew.show(ui, &scene, now);
            }
            Painter::WebGl => {
                let shape = self.gl.shape(&scene(&self.paints[0]), ui.pixels_per_point(), None);
                ui.painter_at(rect).add(shape);
            }
            Painter::EguiPlot => {
                let dots = scene(&self.paints[0]).dots;
                plot(&mut ui.new_child(UiBuilder::new().max_rect(rect)), rect, &self.series, &camera, dots);
            }
        }
    }
}

/// The peer at its best: borrowed points, nothing but points, the same radius and opacity as ours.
fn plot(ui: &mut Ui, rect: Rect, series: &[Vec<PlotPoint>], camera: &Camera, dots: Dots) {
    let look = Look::of(true);
    let half = rect.size() / (2.0 * camera.scale);
    let [x, y] = camera.centre;
    let corner = |sign: f32| [f64::from(x + sign * half.x), f64::from(y + sign * half.y)];
    Plot::new("points")
        .show_axes(false)
        .show_grid(false)
        .show_background(false)
        .show_x(false)
        .show_y(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .set_margin_fraction(Vec2::ZERO)
        .show(ui, |plot| {
            plot.set_plot_bounds(PlotBounds::from_min_max(corner(-1.0), corner(1.0)));
            for (cluster, points) in series.iter().enumerate() {
                let colour = look.cluster(cluster as u32).gamma_multiply(dots.alpha);
                let points = egui_plot::Points::new(format!("cluster {cluster}"), PlotPoints::Borrowed(points));
                plot.points(points.color(colour).radius(dots.radius));
            }
        });
}

/// Positions and clusters.
fn blobs(count: usize) -> (Vec<f32>, Vec<u32>) {
    let mut random = Random(7);
    let centres: Vec<Vec2> = (0..CLUSTERS).map(|_| Vec2::new(random.share() * 16.0, random.share() * 10.0)).collect();
    let mut positions = Vec::with_capacity(2 * count);
    for row in 0..count {
        let place = centres[row % CLUSTERS] + Vec2::new(random.bell(), random.bell());
        positions.extend([place.x, place.y]);
    }
    (positions, (0..count).map(|row| (row % CLUSTERS) as u32).collect())
}

/// Colours as the window makes them.
fn painted(points: &Points, clusters: &[u32], focus: &Focus, id: u64) -> Paint {
    let look = Look::of(true);
    let palette: Vec<Color32> = (0..CLUSTERS as u32).map(|cluster| look.cluster(cluster)).collect();
    let colours = Rc::new(clusters.iter().map(|cluster| palette[*cluster as usize]).collect());
    let faded = focus.faded(clusters.len(), &|row| clusters.get(row).copied());
    let thinning = (clusters.len() > HELD).then(|| Thinning::new(points, Some(clusters)));
    Paint::new(points, colours, faded, thinning.as_ref(), id)
}

/// Knuth's linear congruential numbers.
struct Random(u64);

impl Random {
    /// 0 to 1.
    fn share(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// Nearly normal, mean 0, deviation 1: the sum of twelve shares.
    fn bell(&mut self) -> f32 {
        (0..12).map(|_| self.share()).sum::<f32>() - 6.0
    }
}
