//! The program's icons in every form that systems want, drawn from `icons/icon.svg`. The results are committed; that they
//! hold the drawing's pixels is checked. Their bytes may differ: which library compresses depends on what else is built.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree},
};

use crate::shell;

/// Sides of the PNG files, by name.
const PNGS: [(&str, u32); 5] =
    [("32x32.png", 32), ("128x128.png", 128), ("128x128@2x.png", 256), ("256x256.png", 256), ("icon.png", 512)];
/// Sides within the Windows icon.
const ICO: [u32; 6] = [16, 24, 32, 48, 64, 256];
/// Sides within the macOS icon.
const ICNS: [u32; 6] = [16, 32, 64, 128, 256, 512];

fn folder() -> PathBuf {
    shell::root().join("icons")
}

/// Red, green, blue, alpha, not multiplied.
fn draw(tree: &Tree, side: u32) -> Result<Vec<u8>> {
    let mut picture = Pixmap::new(side, side).context("a picture without pixels")?;
    let scale = side as f32 / tree.size().width();
    resvg::render(tree, Transform::from_scale(scale, scale), &mut picture.as_mut());
    Ok(picture
        .pixels()
        .iter()
        .flat_map(|pixel| {
            let pixel = pixel.demultiply();
            [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()]
        })
        .collect())
}

fn png(tree: &Tree, side: u32) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ico::IconImage::from_rgba_data(side, side, draw(tree, side)?).write_png(&mut bytes)?;
    Ok(bytes)
}

/// Every file: its name and its bytes.
fn made() -> Result<Vec<(String, Vec<u8>)>> {
    let drawing = fs_err::read(folder().join("icon.svg"))?;
    let tree = Tree::from_data(&drawing, &Options::default()).context("icons/icon.svg")?;
    let mut files = Vec::new();
    for (name, side) in PNGS {
        files.push((name.to_owned(), png(&tree, side)?));
    }
    let mut windows = ico::IconDir::new(ico::ResourceType::Icon);
    for side in ICO {
        let image = ico::IconImage::from_rgba_data(side, side, draw(&tree, side)?);
        windows.add_entry(ico::IconDirEntry::encode(&image)?);
    }
    let mut bytes = Vec::new();
    windows.write(&mut bytes)?;
    files.push(("icon.ico".to_owned(), bytes));
    let mut mac = icns::IconFamily::new();
    for side in ICNS {
        let image = icns::Image::from_data(icns::PixelFormat::RGBA, side, side, draw(&tree, side)?)?;
        mac.add_icon(&image).with_context(|| format!("{side} pixels"))?;
    }
    let mut bytes = Vec::new();
    mac.write(&mut bytes)?;
    files.push(("icon.icns".to_owned(), bytes));
    Ok(files)
}

/// `cargo xtask icons`: draws them all anew.
pub fn icons() -> Result<()> {
    for (name, bytes) in made()? {
        fs_err::write(folder().join(&name), &bytes)?;
        eprintln!("xtask: icons/{name} {} bytes", bytes.len());
    }
    Ok(())
}

/// Every picture of a file.
#[cfg(test)]
fn pixels(name: &str, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("ico") => {
            let family = ico::IconDir::read(std::io::Cursor::new(bytes))?;
            family.entries().iter().map(|entry| Ok(entry.decode()?.rgba_data().to_vec())).collect()
        }
        Some("icns") => {
            let family = icns::IconFamily::read(std::io::Cursor::new(bytes))?;
            let kinds = family.available_icons();
            kinds.into_iter().map(|kind| Ok(family.get_icon_with_type(kind)?.data().to_vec())).collect()
        }
        _ => Ok(vec![ico::IconImage::read_png(std::io::Cursor::new(bytes))?.rgba_data().to_vec()]),
    }
}

/// The committed files are what the drawing gives.
#[cfg(test)]
fn check() -> Result<()> {
    for (name, bytes) in made()? {
        if pixels(&name, &fs_err::read(folder().join(&name))?)? != pixels(&name, &bytes)? {
            anyhow::bail!("icons/{name} is not what icons/icon.svg gives: run `cargo xtask icons` and commit it");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icons_are_what_their_drawing_gives() -> Result<()> {
        check()
    }
}
