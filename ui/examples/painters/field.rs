//! The points that every painter draws: twelve round clusters, the same at every start, and one frame of each painter
//! with the camera moved.

use std::rc::Rc;

use egui::{Rect, Ui, UiBuilder, Vec2};
use egui_plot::{Plot, PlotBounds, PlotPoint, PlotPoints};
use ui::{
    map::{Camera, Dots, Paint, Points, Scene, gl::Gl, raster::Raster},
    theme::Look,
};

const CLUSTERS: usize = 12;

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
    /// The same colours under two numbers: a painter that sees the other number draws again.
    paints: [Rc<Paint>; 2],
    series: Vec<Vec<PlotPoint>>,
    raster: Raster,
    raster_anew: Raster,
    gl: Gl,
}

impl Field {
    /// `count` points; `id` tells this field from others.
    pub fn new(count: usize, id: u64) -> Self {
        let look = Look::of(true);
        let mut random = Random(7);
        let centres: Vec<Vec2> =
            (0..CLUSTERS).map(|_| Vec2::new(random.share() * 16.0, random.share() * 10.0)).collect();
        let (mut positions, mut colours) = (Vec::with_capacity(2 * count), Vec::with_capacity(count));
        let mut series = vec![Vec::new(); CLUSTERS];
        for row in 0..count {
            let cluster = row % CLUSTERS;
            let place = centres[cluster] + Vec2::new(random.bell(), random.bell());
            positions.extend([place.x, place.y]);
            colours.push(look.cluster(cluster as u32));
            series[cluster].push(PlotPoint::new(place.x, place.y));
        }
        let points = Rc::new(Points::new(&positions, id));
        let paint = |number| Rc::new(Paint::new(&points, colours.clone(), vec![false; count], number));
        let paints = [paint(2 * id), paint(2 * id + 1)];
        Self { points, paints, series, raster: Raster::default(), raster_anew: Raster::default(), gl: Gl::untimed() }
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
