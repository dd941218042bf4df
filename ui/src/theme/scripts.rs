//! Letters that the window's own faces lack: their scripts, and the machine's fonts for them, fetched only once a text
//! needs them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use egui::{
    FontData, FontFamily, FontProvider,
    epaint::text::{FallbackRequest, FontInsert, FontPriority, InsertFontFamily},
};

pub use paser_protocol::Script;

/// Scripts that some text has needed since they were last looked at.
#[derive(Clone, Default)]
pub struct Needed(Arc<Mutex<BTreeSet<Script>>>);

impl Needed {
    /// The scripts that were needed for the first time.
    pub fn take(&self) -> BTreeSet<Script> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FontProvider for Needed {
    fn font_for(&self, request: &FallbackRequest<'_>) -> Option<FontInsert> {
        let script = request.cluster.chars().next().and_then(Script::of)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(script);
        // It comes later: see `install`.
        None
    }
}

/// A font of this machine.
#[derive(Clone)]
pub struct Fetched {
    pub script: Script,
    pub bytes: Arc<Vec<u8>>,
    /// Which face of a collection.
    pub index: u32,
}

/// Puts a font behind the window's own faces.
pub fn install(ctx: &egui::Context, font: &Fetched) {
    let families = [FontFamily::Proportional, FontFamily::Monospace, super::fonts::strong()];
    let families = families.map(|family| InsertFontFamily { family, priority: FontPriority::Lowest });
    let mut data = FontData::from_owned(font.bytes.as_ref().clone());
    data.index = font.index;
    ctx.add_font(FontInsert::new(font.script.name(), data, families.to_vec()));
}
