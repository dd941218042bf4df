//! The three faces and the icon font. Owns the font files under `assets/fonts` and the seven text sizes.

use std::sync::Arc;

use egui::{FontData, FontDefinitions, FontFamily, FontId};

const STRONG: &str = "strong";
const ICONS: &str = "icons";

fn strong() -> FontFamily {
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

/// All faces, each with the others behind it for glyphs it lacks.
pub(super) fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let mut add = |name: &str, bytes: &'static [u8]| {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    };
    add("inter", include_bytes!("../../assets/fonts/Inter-400.ttf"));
    add("inter-600", include_bytes!("../../assets/fonts/Inter-600.ttf"));
    add("mono", include_bytes!("../../assets/fonts/JetBrainsMonoNL-400.ttf"));
    add("phosphor", include_bytes!("../../assets/fonts/Phosphor-subset.ttf"));
    let order = |first: &[&str]| first.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    fonts.families.insert(FontFamily::Proportional, order(&["inter", "mono", "phosphor"]));
    fonts.families.insert(FontFamily::Monospace, order(&["mono", "inter", "phosphor"]));
    fonts.families.insert(strong(), order(&["inter-600", "mono", "phosphor"]));
    fonts.families.insert(FontFamily::Name(ICONS.into()), order(&["phosphor", "inter"]));
    fonts
}
