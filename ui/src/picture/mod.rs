//! A view as a file: the picture that is on screen as pixels or vectors, or its numbers. The page is drawn once more into
//! a context of its own, at any scale, without what lies over it (menus, messages), and cut to the view.

pub mod png;
pub mod raster;
pub mod svg;
mod view;

use std::sync::Arc;

use egui::{Context, Galley, Rect, Shape, Stroke, TextureId, Ui, Vec2, epaint::ClippedShape, pos2};

pub use view::{Format, View};

use crate::{
    map::Scene,
    theme::{self, Look, scripts::Fetched},
    widgets::Words,
};
use raster::Raster;

/// Room for the words over a picture, in points.
const CAPTION: f32 = 46.0;

/// What stands over a picture and in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caption {
    /// View and project.
    pub title: String,
    /// n, selection, column, brush.
    pub details: String,
}

/// A view that was drawn.
pub struct Taken {
    pub caption: Caption,
    /// Words and view, in points of the screen.
    pub crop: Rect,
    /// Pixels to a point.
    pub scale: f32,
    pub shapes: Vec<ClippedShape>,
    /// What drew the map's pictures.
    pub scenes: Vec<(TextureId, Scene)>,
    pub raster: Raster,
    pub ctx: Context,
}

/// Draws `page` as it is on the screen of `ctx` and keeps what lies in `body`.
pub fn take(
    ctx: &Context,
    (body, scale): (Rect, f32),
    caption: Caption,
    fonts: &[Fetched],
    mut page: impl FnMut(&mut Ui),
) -> Taken {
    let other = Context::default();
    theme::apply(&other);
    for font in fonts {
        theme::scripts::install(&other, font);
    }
    // Where everything was scrolled to, and the scale of the window.
    let memory = ctx.memory(Clone::clone);
    other.memory_mut(|mine| {
        mine.options = memory.options;
        mine.data = memory.data;
    });
    let zoom = ctx.zoom_factor();
    let mut raster = Raster::default();
    let mut shapes = Vec::new();
    // The first frame measures.
    for frame in 0..2 {
        let mut input = egui::RawInput {
            screen_rect: Some(ctx.content_rect()),
            time: Some(ctx.input(|input| input.time) + f64::from(frame) * 0.01),
            max_texture_side: Some(ctx.input(|input| input.max_texture_side)),
            system_theme: Some(ctx.theme()),
            ..egui::RawInput::default()
        };
        input.viewports.entry(input.viewport_id).or_default().native_pixels_per_point = Some(scale / zoom);
        let mut output = other.run_ui(input, |ui| {
            page(ui);
            let layer = ui.layer_id();
            shapes = ui
                .ctx()
                .graphics(|graphics| graphics.get(layer).map(|list| list.all_entries().cloned().collect()))
                .unwrap_or_default();
            for clipped in &mut shapes {
                clipped.clip_rect = clipped.clip_rect.intersect(body);
            }
            shapes.extend(words(ui, body, &caption));
        });
        raster.take(&mut output.textures_delta);
        output.drop_without_applying_deltas();
    }
    let crop = Rect::from_min_max(pos2(body.left(), body.top() - CAPTION), body.max);
    Taken { caption, crop, scale, shapes, scenes: Vec::new(), raster, ctx: other }
}

/// The words over the picture.
fn words(ui: &Ui, body: Rect, caption: &Caption) -> Vec<ClippedShape> {
    let look = Look::of(ui.visuals().dark_mode);
    let place = Rect::from_min_max(pos2(body.left(), body.top() - CAPTION), pos2(body.right(), body.top()));
    let width = place.width() - 20.0;
    let text = |words: Words, top: f32| -> Shape {
        let galley: Arc<Galley> = words.galley(ui, width, 1);
        Shape::galley(place.min + Vec2::new(10.0, top), galley, look.text)
    };
    let shapes = [
        Shape::rect_filled(place, 0.0, look.panel),
        text(Words::of(look).strong(&caption.title), 7.0),
        text(Words::of(look).small(&caption.details), 25.0),
        Shape::hline(place.x_range(), place.bottom() - 0.5, Stroke::new(1.0, look.line)),
    ];
    shapes.into_iter().map(|shape| ClippedShape::new(place, shape)).collect()
}

impl Taken {
    /// As pixels.
    ///
    /// # Errors
    /// A part of the picture that cannot be drawn.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        let image = self.raster.draw(&self.ctx, self.shapes.clone(), self.scale, self.crop)?;
        let Caption { title, details } = &self.caption;
        png::write(&image, &[("Title", title), ("Description", details), ("Software", "PASER Studio")])
    }

    /// As vectors.
    ///
    /// # Errors
    /// A part that has to be embedded and cannot be written.
    pub fn svg(&self) -> Result<String, String> {
        svg::write(self)
    }
}
