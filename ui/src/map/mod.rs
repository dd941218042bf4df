//! The pool as a manifold: camera, grid index for hover and box, the painter that draws points into a texture, and the
//! one that draws them by WebGL where that was seen to be fast. Knows points, colours and signs, nothing of projects.

pub mod camera;
pub mod gl;
pub mod index;
pub mod labels;
pub mod raster;
pub mod region;
pub mod thinning;

use std::rc::Rc;

use egui::{Color32, Rect, Vec2};

pub use camera::Camera;
pub use index::Grid;
pub use thinning::Thinning;

/// All points of a map, in pool order, with their extent and a fixed shuffle, so that no cluster always lies on top.
pub struct Points {
    pub places: Vec<Vec2>,
    pub order: Vec<u32>,
    /// The places in that order: drawing reads them one after another.
    pub shuffled: Vec<Vec2>,
    /// Of the finite points; y grows upwards.
    pub bounds: Rect,
    pub grid: Grid,
    /// Changes with the points.
    pub id: u64,
}

impl Points {
    /// `xy`: x then y per point. Points that are not finite are never drawn.
    pub fn new(xy: &[f32], id: u64) -> Self {
        let places: Vec<Vec2> = xy.as_chunks::<2>().0.iter().map(|[x, y]| Vec2::new(*x, *y)).collect();
        let mut bounds = Rect::NOTHING;
        for place in places.iter().filter(|place| place.is_finite()) {
            bounds.extend_with(place.to_pos2());
        }
        if !bounds.is_positive() {
            let centre = if bounds.is_finite() { bounds.center() } else { egui::Pos2::ZERO };
            bounds = Rect::from_center_size(centre, bounds.size().max(Vec2::splat(1e-3)).min(Vec2::splat(1e9)));
        }
        let mut order: Vec<u32> = (0..places.len() as u32).filter(|i| places[*i as usize].is_finite()).collect();
        let mut seed = 12_345_u64;
        for place in (1..order.len()).rev() {
            seed = (seed.wrapping_mul(1_103_515_245) + 12_345) % 2_147_483_648;
            order.swap(place, (seed % (place as u64 + 1)) as usize);
        }
        let shuffled = order.iter().map(|row| places[*row as usize]).collect();
        let grid = Grid::new(&places, bounds);
        Self { places, order, shuffled, bounds, grid, id }
    }
}

/// Rings, crosses and diamonds over the points, with their looks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signs {
    /// What a search found; of very many only some.
    pub found: Vec<Vec2>,
    pub pinned: Vec<Vec2>,
    pub excluded: Vec<Vec2>,
    pub ring: Color32,
    pub pin: Color32,
    pub cross: Color32,
    /// Radius of the ring, half a diagonal of the diamond and half a side of the cross, in points of the screen.
    pub ring_size: f32,
    pub pin_size: f32,
    pub cross_size: f32,
}

/// Width of a cross's lines and of a ring, in points of the screen.
pub const CROSS_STROKE: f32 = 1.5;
pub const RING_STROKE: f32 = 1.0;

/// The colour of every point, and which of them are grey because they are out of the brush.
pub struct Paint {
    /// By row.
    pub colours: Rc<Vec<Color32>>,
    /// By row.
    pub faded: Vec<bool>,
    /// Place and colour in the order of drawing, side by side in memory: the grey ones first.
    pub marks: Vec<(Vec2, Color32)>,
    /// How many of the marks are grey.
    pub grey: usize,
    /// Of every mark, in the same order: when it is left out. Empty where a picture holds all of them.
    pub keys: Vec<u16>,
    /// Drawn last.
    pub signs: Signs,
    /// Changes with the colours.
    pub id: u64,
}

impl Paint {
    /// One colour and one flag per row of `points`; the order in which marks are left out of a picture that cannot hold
    /// them all.
    pub fn new(
        points: &Points,
        colours: Rc<Vec<Color32>>,
        faded: Vec<bool>,
        thinning: Option<&Thinning>,
        id: u64,
    ) -> Self {
        let drawn = |(faded, place): &(&bool, &Vec2)| **faded && place.is_finite();
        let grey = faded.iter().zip(&points.places).filter(drawn).count();
        let mut marks = vec![(Vec2::ZERO, Color32::TRANSPARENT); points.order.len()];
        let mut keys = vec![0; thinning.map_or(0, |_| points.order.len())];
        let (mut next_grey, mut next_coloured) = (0, grey);
        for (place, (row, at)) in points.order.iter().zip(&points.shuffled).enumerate() {
            let row = *row as usize;
            let next = if faded[row] { &mut next_grey } else { &mut next_coloured };
            marks[*next] = (*at, colours[row]);
            if let Some(thinning) = thinning {
                keys[*next] = thinning.keys[place];
            }
            *next += 1;
        }
        Self { colours, faded, marks, grey, keys, signs: Signs::default(), id }
    }

    /// With diamonds and crosses over the points.
    pub fn with_signs(mut self, signs: Signs) -> Self {
        self.signs = signs;
        self
    }
}

/// Radius and opacity of points at a camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dots {
    /// In points of the screen.
    pub radius: f32,
    pub alpha: f32,
    pub alpha_faded: f32,
    /// Share of the density shading, 0 to 1.
    pub density: f32,
}

impl Dots {
    /// Small and pale far out, large and firm near; density shading above `density_switch` points per pixel, faded in
    /// from half of it.
    pub fn of(sizes: &crate::theme::MapSizes, points: &Points, camera: &Camera, pixels_per_point: f32) -> Self {
        let count = points.order.len().max(1) as f32;
        // Clusters fill about a tenth of the extent: 12 points apart there is about 36 on average.
        let spacing = camera.scale * (points.bounds.area() / count).sqrt();
        let near = ((spacing - 2.5) / 33.5).clamp(0.0, 1.0);
        let per_pixel = count / (points.bounds.area() * (camera.scale * pixels_per_point).powi(2)).max(1.0);
        let half = sizes.density_switch / 2.0;
        Self {
            radius: egui::lerp(sizes.radius_far..=sizes.radius_near, near),
            alpha: egui::lerp(sizes.alpha_far..=sizes.alpha_near, near.sqrt()),
            // Few points hardly overlap: each has to be seen alone.
            alpha_faded: egui::lerp(sizes.alpha_muted..=0.8, near),
            density: ((per_pixel - half) / half).clamp(0.0, 1.0),
        }
    }
}

/// What a painter needs to draw.
#[derive(Clone)]
pub struct Scene {
    pub points: Rc<Points>,
    pub paint: Rc<Paint>,
    pub camera: Camera,
    pub rect: Rect,
    pub ground: Color32,
    pub muted: Color32,
    pub dots: Dots,
}
