//! The renderer of the snapshots: the one that saves views as pictures, so that a picture is the same on every machine.

use egui::TexturesDelta;
use egui_kittest::TestRenderer;
use image::RgbaImage;
use ui::picture::raster;

#[derive(Default)]
pub struct Raster(raster::Raster);

impl TestRenderer for Raster {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        self.0.take(delta);
    }

    fn render(&mut self, ctx: &egui::Context, output: &egui::FullOutput) -> Result<RgbaImage, String> {
        let image = self.0.draw(ctx, output.shapes.clone(), output.pixels_per_point, ctx.content_rect())?;
        RgbaImage::from_raw(image.width as u32, image.height as u32, image.rgba)
            .ok_or_else(|| "the picture has another size than its pixels".to_owned())
    }
}
