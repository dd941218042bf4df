//! Samples in other scripts: their letters are asked for once, rows stay rows, and where the machine has no font that is
//! said once.

#![allow(clippy::unwrap_used)]

mod support;

use paser_protocol::{Event, Script};
use support::{Bench, Start, engine::Engine};

/// Chinese, Arabic, an emoji of three characters, and a letter with a mark of its own.
const MIXED: &str = "你好 \u{645}\u{631}\u{62d}\u{628}\u{627} \u{628}\u{643} 👩\u{200d}🚀 e\u{301} ";

fn mixed(font: Option<Vec<u8>>) -> Bench {
    let engine = Engine::new();
    let handle = engine.handle();
    let mut bench = Start { engine, ..Start::default() }.open().demo();
    bench.shared.borrow_mut().font = font;
    bench.harness.ctx.set_missing_glyph_policy(egui::MissingGlyphPolicy::Tofu);
    bench.click("ToggleTable");
    let revision = handle.import_again(MIXED);
    bench.send(Event::Project { revision });
    bench.harness.run();
    bench.click("row:2");
    bench.harness.run();
    bench
}

#[test]
fn rows_keep_their_height_and_letters_are_asked_for_once() {
    let mut bench = mixed(None);
    for row in 0..5 {
        let (here, next) = (bench.rect(&format!("row:{row}")), bench.rect(&format!("row:{}", row + 1)));
        assert_eq!((here.height(), here.bottom()), (24.0, next.top()), "row {row}");
    }
    let asked = bench.shared.borrow().scripts.clone();
    assert!(asked.contains(&Script::Arabic) && asked.contains(&Script::Han), "{asked:?}");
    bench.click("row:3");
    bench.harness.run();
    assert_eq!(bench.shared.borrow().scripts, asked, "asked for once");
    let hints = bench.state().toasts.past().iter().filter(|past| past.what.contains("arabic")).count();
    assert_eq!(hints, 1, "{:?}", bench.state().toasts.past());
    let text = bench.state().data.texts.values().next().unwrap();
    assert!(text.instruction.starts_with(MIXED), "what is kept is what was written");
}

#[test]
fn a_font_that_arrives_is_used_for_its_script() {
    // Any font will do to see that it is installed: this one happens to be at hand.
    let file = include_bytes!("../assets/fonts/JetBrainsMonoNL-400.ttf");
    let bench = mixed(Some([0_u32.to_le_bytes().as_slice(), file].concat()));
    assert!(bench.state().fonts.iter().any(|font| font.script == Script::Arabic && font.index == 0));
    let installed = bench.harness.ctx.fonts(|fonts| fonts.definitions().font_data.contains_key("arabic"));
    assert!(installed, "the font is not behind the window's own");
    assert!(bench.state().toasts.past().is_empty(), "{:?}", bench.state().toasts.past());
}
