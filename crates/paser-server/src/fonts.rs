//! Fonts of this machine for scripts that the window's own faces lack, handed to the window on request.

use std::sync::OnceLock;

use fontdb::{Database, FaceInfo, Stretch, Style};
use paser_protocol::Script;

/// Larger fonts stay where they are: the window draws their letters by its web view instead.
const LARGEST: usize = 40 << 20;

/// A font file, and which face of a collection in it.
pub struct Font {
    pub bytes: Vec<u8>,
    pub index: u32,
}

/// Plain upright faces without serifs first; of equals the one that was found first.
fn rank(face: &FaceInfo) -> (bool, bool, bool, u16, bool) {
    let family = face.families.first().map(|(name, _)| name.to_lowercase()).unwrap_or_default();
    (
        face.style != Style::Normal,
        face.stretch != Stretch::Normal,
        face.monospaced || family.contains("mono"),
        face.weight.0.abs_diff(400),
        family.contains("serif") && !family.contains("sans"),
    )
}

/// The machine's best font of a script; none where it has none.
pub fn find(script: Script) -> Option<Font> {
    static FONTS: OnceLock<Database> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = Database::new();
        fonts.load_system_fonts();
        fonts
    });
    let mut faces: Vec<&FaceInfo> = fonts.faces().collect();
    faces.sort_by_key(|face| rank(face));
    faces.into_iter().find_map(|face| {
        fonts.with_face_data(face.id, |bytes, index| {
            let parsed = ttf_parser::Face::parse(bytes, index).ok()?;
            // A font of pictures alone has no outlines to draw.
            let has = |letter: &char| {
                parsed.glyph_index(*letter).is_some_and(|glyph| parsed.glyph_bounding_box(glyph).is_some())
            };
            let fits = bytes.len() <= LARGEST && script.letters().iter().all(has);
            fits.then(|| Font { bytes: bytes.to_vec(), index })
        })?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_font_that_is_found_has_the_letters() {
        for script in Script::ALL {
            let Some(font) = find(script) else { continue };
            let face = ttf_parser::Face::parse(&font.bytes, font.index).expect("it was read before");
            assert!(script.letters().iter().all(|letter| face.glyph_index(*letter).is_some()), "{script:?}");
        }
    }
}
