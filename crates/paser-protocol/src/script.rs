//! Writing systems that the window's own faces lack, and what a font for each must have.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Script {
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Arabic,
    Devanagari,
    Bengali,
    Tamil,
    Thai,
    Georgian,
    Hangul,
    /// Chinese characters and the Japanese syllables that stand among them.
    Han,
    Emoji,
    Symbols,
}

impl Script {
    pub const ALL: [Self; 14] = [
        Self::Greek,
        Self::Cyrillic,
        Self::Armenian,
        Self::Hebrew,
        Self::Arabic,
        Self::Devanagari,
        Self::Bengali,
        Self::Tamil,
        Self::Thai,
        Self::Georgian,
        Self::Hangul,
        Self::Han,
        Self::Emoji,
        Self::Symbols,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Greek => "greek",
            Self::Cyrillic => "cyrillic",
            Self::Armenian => "armenian",
            Self::Hebrew => "hebrew",
            Self::Arabic => "arabic",
            Self::Devanagari => "devanagari",
            Self::Bengali => "bengali",
            Self::Tamil => "tamil",
            Self::Thai => "thai",
            Self::Georgian => "georgian",
            Self::Hangul => "hangul",
            Self::Han => "han",
            Self::Emoji => "emoji",
            Self::Symbols => "symbols",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|script| script.name() == name)
    }

    /// The script of a character; none for control and private characters and for what every font has.
    pub fn of(c: char) -> Option<Self> {
        Some(match u32::from(c) {
            0x0370..=0x03ff | 0x1f00..=0x1fff => Self::Greek,
            0x0400..=0x052f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => Self::Cyrillic,
            0x0530..=0x058f => Self::Armenian,
            0x0590..=0x05ff | 0xfb1d..=0xfb4f => Self::Hebrew,
            0x0600..=0x06ff | 0x0750..=0x077f | 0x08a0..=0x08ff | 0xfb50..=0xfdff | 0xfe70..=0xfefe => Self::Arabic,
            0x0900..=0x097f => Self::Devanagari,
            0x0980..=0x09ff => Self::Bengali,
            0x0b80..=0x0bff => Self::Tamil,
            0x0e00..=0x0e7f => Self::Thai,
            0x10a0..=0x10ff => Self::Georgian,
            0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7af => Self::Hangul,
            0x2e80..=0x312f | 0x3190..=0x9fff | 0xf900..=0xfaff | 0xff00..=0xffef | 0x2_0000..=0x3_ffff => Self::Han,
            0x1f000..=0x1faff => Self::Emoji,
            0x2000..=0x2bff => Self::Symbols,
            _ => return None,
        })
    }

    /// Characters that a font of this script has.
    pub fn letters(self) -> &'static [char] {
        match self {
            Self::Greek => &['α', 'Ω', 'ή'],
            Self::Cyrillic => &['а', 'Я', 'ж'],
            Self::Armenian => &['ա', 'Ֆ'],
            Self::Hebrew => &['א', 'ת'],
            Self::Arabic => &['ا', 'ي', 'م'],
            Self::Devanagari => &['अ', 'ह', '्'],
            Self::Bengali => &['অ', 'হ'],
            Self::Tamil => &['அ', 'க'],
            Self::Thai => &['ก', 'ฮ'],
            Self::Georgian => &['ა', 'ჰ'],
            Self::Hangul => &['가', '힣'],
            Self::Han => &['中', '文', 'の', 'カ'],
            Self::Emoji => &['😀', '🚀'],
            Self::Symbols => &['∑', '→', '■'],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_knows_its_letters_and_its_name() {
        for script in Script::ALL {
            assert_eq!(Script::by_name(script.name()), Some(script));
            for letter in script.letters() {
                assert_eq!(Script::of(*letter), Some(script), "{letter}");
            }
        }
        assert_eq!(Script::of('a'), None);
        assert_eq!(Script::of('\u{e000}'), None, "icons are no script");
    }
}
