//! Colours, sizes and faces of the window. Owns the tokens of `tokens.toml` and turns them into an egui style;
//! nothing else in this crate names a colour.

pub mod bidi;
mod fonts;
pub mod icons;
pub mod scripts;
mod style;

use std::sync::OnceLock;

use egui::Color32;
use serde::{Deserialize, Deserializer, de::Error as _};

pub use fonts::{big_mono, body, body_strong, face_of, faces, icon, mono, mono_small, read, read_strong, small, title};
pub use style::apply;

/// A colour written as `#rrggbb`.
#[derive(Clone, Copy, Debug)]
struct Hex(Color32);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        Color32::from_hex(&text).map(Hex).map_err(|_| D::Error::custom(format!("`{text}` is no colour: write #rrggbb")))
    }
}

#[derive(Deserialize)]
struct Surface {
    canvas: Hex,
    panel: Hex,
    raised: Hex,
    overlay: Hex,
}

#[derive(Deserialize)]
struct Border {
    line: Hex,
    edge: Hex,
    grid: Hex,
    axis: Hex,
}

#[derive(Deserialize)]
struct Text {
    text: Hex,
    text_2: Hex,
    text_3: Hex,
    disabled: Hex,
    on_accent: Hex,
}

#[derive(Deserialize)]
struct Interact {
    control: Hex,
    accent: Hex,
    accent_hover: Hex,
    accent_press: Hex,
}

#[derive(Deserialize)]
struct Mark {
    a: Hex,
    a_fill: Hex,
    b: Hex,
    b_fill: Hex,
    both: Hex,
    neither: Hex,
    muted: Hex,
    pinned: Hex,
    excluded: Hex,
    ok: Hex,
    warn: Hex,
    error: Hex,
    random: Hex,
}

#[derive(Deserialize)]
struct Clusters {
    c1: Hex,
    c2: Hex,
    c3: Hex,
    c4: Hex,
    c5: Hex,
    c6: Hex,
    c7: Hex,
    c8: Hex,
    c9: Hex,
    c10: Hex,
    c11: Hex,
    c12: Hex,
}

#[derive(Deserialize)]
struct Ramps {
    damage: [Hex; 9],
    sequential: [Hex; 9],
    shade: [Hex; 6],
}

#[derive(Deserialize)]
struct Half {
    surface: Surface,
    border: Border,
    text: Text,
    interact: Interact,
    mark: Mark,
    cluster: Clusters,
    ramp: Ramps,
}

/// Sizes of the marks on the map, in points.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct MapSizes {
    pub radius_far: f32,
    pub radius_near: f32,
    pub alpha_far: f32,
    pub alpha_near: f32,
    pub alpha_muted: f32,
    pub ring: f32,
    pub pin_size: f32,
    pub cross_size: f32,
    pub found_size: f32,
    /// Points per pixel above which the density texture takes over.
    pub density_switch: f32,
    pub hit_radius: f32,
    pub label_gap: f32,
}

/// Seconds of the few movements.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Motion {
    pub camera: f32,
}

#[derive(Deserialize)]
struct File {
    dark: Half,
    light: Half,
    map: MapSizes,
    motion: Motion,
}

/// The colours of one theme.
#[derive(Clone, Debug)]
pub struct Look {
    pub dark: bool,
    pub canvas: Color32,
    pub panel: Color32,
    pub raised: Color32,
    pub overlay: Color32,
    pub line: Color32,
    pub edge: Color32,
    pub grid: Color32,
    pub axis: Color32,
    pub text: Color32,
    pub text_2: Color32,
    pub text_3: Color32,
    pub disabled: Color32,
    pub on_accent: Color32,
    pub control: Color32,
    pub accent: Color32,
    pub accent_hover: Color32,
    pub accent_press: Color32,
    pub a: Color32,
    pub a_fill: Color32,
    /// Selection B, as text and as mark.
    pub b: Color32,
    pub b_fill: Color32,
    /// In A and in B.
    pub both: Color32,
    pub neither: Color32,
    pub muted: Color32,
    pub pinned: Color32,
    pub excluded: Color32,
    pub ok: Color32,
    pub warn: Color32,
    pub error: Color32,
    /// What is neither A nor B.
    pub random: Color32,
    clusters: [Color32; 12],
    damage: [Color32; 9],
    sequential: [Color32; 9],
    shade: [Color32; 6],
    pub map: MapSizes,
    pub motion: Motion,
}

impl Look {
    fn new(dark: bool, half: &Half, map: MapSizes, motion: Motion) -> Self {
        let (s, b, t, i, m, c) = (&half.surface, &half.border, &half.text, &half.interact, &half.mark, &half.cluster);
        let clusters =
            [&c.c1, &c.c2, &c.c3, &c.c4, &c.c5, &c.c6, &c.c7, &c.c8, &c.c9, &c.c10, &c.c11, &c.c12].map(|hex| hex.0);
        Self {
            dark,
            canvas: s.canvas.0,
            panel: s.panel.0,
            raised: s.raised.0,
            overlay: s.overlay.0,
            line: b.line.0,
            edge: b.edge.0,
            grid: b.grid.0,
            axis: b.axis.0,
            text: t.text.0,
            text_2: t.text_2.0,
            text_3: t.text_3.0,
            disabled: t.disabled.0,
            on_accent: t.on_accent.0,
            control: i.control.0,
            accent: i.accent.0,
            accent_hover: i.accent_hover.0,
            accent_press: i.accent_press.0,
            a: m.a.0,
            a_fill: m.a_fill.0,
            b: m.b.0,
            b_fill: m.b_fill.0,
            both: m.both.0,
            neither: m.neither.0,
            muted: m.muted.0,
            pinned: m.pinned.0,
            excluded: m.excluded.0,
            ok: m.ok.0,
            warn: m.warn.0,
            error: m.error.0,
            random: m.random.0,
            clusters,
            damage: half.ramp.damage.map(|hex| hex.0),
            sequential: half.ramp.sequential.map(|hex| hex.0),
            shade: half.ramp.shade.map(|hex| hex.0),
            map,
            motion,
        }
    }

    /// The colours of the dark or the light theme.
    pub fn of(dark: bool) -> &'static Self {
        static BOTH: OnceLock<[Look; 2]> = OnceLock::new();
        let both = BOTH.get_or_init(|| {
            let file: File = toml::from_str(include_str!("tokens.toml")).expect("tokens.toml is part of the program");
            [Self::new(false, &file.light, file.map, file.motion), Self::new(true, &file.dark, file.map, file.motion)]
        });
        &both[usize::from(dark)]
    }

    /// The colour of a place in the palette; from the 13th on grey.
    pub fn cluster(&self, place: u32) -> Color32 {
        usize::try_from(place).ok().and_then(|place| self.clusters.get(place)).copied().unwrap_or(self.neither)
    }

    /// Ember ramp: `share` 0 is no damage, 1 the top of the project's scale.
    pub fn damage(&self, share: f32) -> Color32 {
        ramp(&self.damage, share)
    }

    /// Any other number, 0 to 1.
    pub fn sequential(&self, share: f32) -> Color32 {
        ramp(&self.sequential, share)
    }

    pub fn damage_stops(&self) -> &[Color32] {
        &self.damage
    }

    pub fn sequential_stops(&self) -> &[Color32] {
        &self.sequential
    }

    pub fn shade_stops(&self) -> &[Color32] {
        &self.shade
    }

    /// Behind a response token of `jsd` nats, 0 to ln 2; none where it would hardly be seen.
    pub fn shade(&self, jsd: f32) -> Option<Color32> {
        (jsd >= 0.03).then(|| self.shade[((jsd / std::f32::consts::LN_2 * 5.0 + 0.35).round() as usize).min(5)])
    }
}

/// Linear between stops, in the sRGB values that the stops are written in.
fn ramp(stops: &[Color32; 9], share: f32) -> Color32 {
    let place = if share.is_finite() { share.clamp(0.0, 0.9999) * 8.0 } else { 0.0 };
    let low = place as usize;
    mix(stops[low], stops[low + 1], place - low as f32)
}

/// `share` of `b` over `a`.
pub fn mix(a: Color32, b: Color32, share: f32) -> Color32 {
    let channel = |x: u8, y: u8| (f32::from(x) + (f32::from(y) - f32::from(x)) * share).round() as u8;
    Color32::from_rgb(channel(a.r(), b.r()), channel(a.g(), b.g()), channel(a.b(), b.b()))
}

/// The theme a person asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    #[default]
    System,
    Dark,
    Light,
}

impl Mode {
    pub fn next(self) -> Self {
        match self {
            Self::System => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::System,
        }
    }

    pub fn preference(self) -> egui::ThemePreference {
        match self {
            Self::System => egui::ThemePreference::System,
            Self::Dark => egui::ThemePreference::Dark,
            Self::Light => egui::ThemePreference::Light,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::System => "as the system",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read() {
        assert_eq!(Look::of(true).canvas, Color32::from_rgb(0x0b, 0x0d, 0x10));
        assert_eq!(Look::of(false).cluster(11), Color32::from_rgb(0xaf, 0x1b, 0x3e));
        assert_eq!(Look::of(false).cluster(12), Look::of(false).neither);
    }

    #[test]
    fn ramps_keep_their_ends() {
        let look = Look::of(true);
        assert_eq!(look.damage(-1.0), look.damage_stops()[0]);
        assert_eq!(look.damage(f32::NAN), look.damage_stops()[0]);
        let top = look.damage(5.0);
        assert!(top.r().abs_diff(look.damage_stops()[8].r()) <= 1);
        assert_eq!(look.shade(0.0), None);
        assert_eq!(look.shade(0.69), Some(look.shade_stops()[5]));
    }
}
