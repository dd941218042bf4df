//! The three faces and the icon font. Owns the font files under `assets/fonts` and the seven text sizes.

use std::sync::Arc;

use egui::{FontData, FontDefinitions, FontFamily, FontId};

const STRONG: &str = "strong";
const ICONS: &str = "icons";

const INTER: &[u8] = include_bytes!("../../assets/fonts/Inter-400.ttf");
const INTER_600: &[u8] = include_bytes!("../../assets/fonts/Inter-600.ttf");
const MONO: &[u8] = include_bytes!("../../assets/fonts/JetBrainsMonoNL-400.ttf");
const PHOSPHOR: &[u8] = include_bytes!("../../assets/fonts/Phosphor-subset.ttf");

pub(super) fn strong() -> FontFamily {
    FontFamily::Name(STRONG.into())
}

/// 11: units, hints, heads.
pub fn small() -> FontId {
    FontId::new(11.0, FontFamily::Proportional)
}

/// 12: tables, lists, controls.
pub fn body() -> FontId {
    FontId::new(12.0, FontFamily::Proportional)
}

pub fn body_strong() -> FontId {
    FontId::new(12.0, strong())
}

/// 13: samples, forms.
pub fn read() -> FontId {
    FontId::new(13.0, FontFamily::Proportional)
}

pub fn read_strong() -> FontId {
    FontId::new(13.0, strong())
}

/// Page sections and the welcome line.
pub fn title(size: f32) -> FontId {
    FontId::new(size, strong())
}

/// Every number in a column, ids, code.
pub fn mono() -> FontId {
    FontId::new(11.5, FontFamily::Monospace)
}

/// Numbers at axes and key caps.
pub fn mono_small() -> FontId {
    FontId::new(10.5, FontFamily::Monospace)
}

/// The estimate.
pub fn big_mono() -> FontId {
    FontId::new(22.0, FontFamily::Monospace)
}

pub fn icon(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(ICONS.into()))
}

/// The faces as other programs know them: family, weight, file.
pub fn faces() -> [(&'static str, u16, &'static [u8]); 4] {
    [
        ("Inter", 400, INTER),
        ("Inter SemiBold", 600, INTER_600),
        ("JetBrains Mono NL", 400, MONO),
        ("Phosphor", 400, PHOSPHOR),
    ]
}

/// The face that a family of ours begins with: name and weight of [`faces`].
pub fn face_of(family: &FontFamily) -> (&'static str, u16) {
    match family {
        FontFamily::Monospace => ("JetBrains Mono NL", 400),
        FontFamily::Name(name) if **name == *STRONG => ("Inter SemiBold", 600),
        FontFamily::Name(name) if **name == *ICONS => ("Phosphor", 400),
        _ => ("Inter", 400),
    }
}

/// All faces, each with the others behind it for glyphs it lacks.
pub(super) fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let mut add = |name: &str, bytes: &'static [u8]| {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    };
    add("inter", INTER);
    add("inter-600", INTER_600);
    add("mono", MONO);
    add("phosphor", PHOSPHOR);
    let order = |first: &[&str]| first.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    fonts.families.insert(FontFamily::Proportional, order(&["inter", "mono", "phosphor"]));
    fonts.families.insert(FontFamily::Monospace, order(&["mono", "inter", "phosphor"]));
    fonts.families.insert(strong(), order(&["inter-600", "mono", "phosphor"]));
    fonts.families.insert(FontFamily::Name(ICONS.into()), order(&["phosphor", "inter"]));
    fonts
}
