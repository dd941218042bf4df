//! Pixels as a PNG file, with words beside them.

use super::raster::Image;

/// `words`: keyword and text, kept as international text of the file.
///
/// # Errors
/// A picture without pixels.
pub fn write(image: &Image, words: &[(&str, &str)]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width as u32, image.height as u32);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    for (keyword, text) in words {
        let (keyword, text) = ((*keyword).to_owned(), (*text).to_owned());
        encoder.add_itxt_chunk(keyword, text).map_err(|error| error.to_string())?;
    }
    let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
    writer.write_image_data(&image.rgba).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(bytes)
}
