//! What the tests of the window share: a made-up but plausible project, an engine in the same process that answers from
//! it, and a renderer that needs no graphics card.

#![allow(dead_code, clippy::unwrap_used)]

pub mod compare;
pub mod curation;
pub mod engine;
pub mod fixture;
pub mod raster;
pub mod recovery;
mod stability;

use std::{cell::RefCell, rc::Rc};

use egui::{Theme, Vec2};
use egui_kittest::Harness;
use ui::{
    App,
    app::Host,
    saved::Saved,
    state::Screen,
    transport::local::{Local, Shared},
};

pub struct Bench {
    pub harness: Harness<'static, App>,
    pub shared: Rc<RefCell<Shared>>,
}

pub struct Start {
    pub size: [f32; 2],
    pub theme: Theme,
    pub dialogs: bool,
    /// The window shows another program's project.
    pub attached: bool,
    pub saved: Saved,
    pub engine: engine::Engine,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            size: [1280.0, 800.0],
            theme: Theme::Dark,
            dialogs: false,
            attached: false,
            saved: Saved::default(),
            engine: engine::Engine::new(),
        }
    }
}

impl Start {
    pub fn open(self) -> Bench {
        let columns = self.engine.columns();
        let mut answer = self.engine.answer();
        let (engine, slot) = (self.engine, Rc::new(RefCell::new(None::<Rc<RefCell<Shared>>>)));
        let late = slot.clone();
        let answer = Box::new(move |request: &paser_protocol::Request| {
            let reply = answer(request);
            if let Some(shared) = late.borrow().as_ref() {
                shared.borrow_mut().columns.extend(engine.fresh_columns());
            }
            reply
        });
        let local = Local::new(answer, columns, self.dialogs);
        let shared = local.shared();
        shared.borrow_mut().attached = self.attached;
        *slot.borrow_mut() = Some(shared.clone());
        let mode = match self.theme {
            Theme::Dark => ui::theme::Mode::Dark,
            Theme::Light => ui::theme::Mode::Light,
        };
        let saved = Saved { mode, ..self.saved };
        let host = Host { wall: Some(|| fixture::NOW), ..Host::default() };
        let app = App::new(Rc::new(local), host, saved);
        let mut harness = Harness::builder()
            .with_size(Vec2::from(self.size))
            .with_theme(self.theme)
            .with_max_steps(24)
            .with_step_dt(0.15)
            .with_render_cursor(false)
            .renderer(raster::Raster::default())
            .with_context_setup(ui::app::prepare)
            .build_ui_state(|ui, app: &mut App| app.ui(ui), app);
        harness.run();
        Bench { harness, shared }
    }
}

impl Bench {
    /// Opens the demo from the welcome page.
    pub fn demo(mut self) -> Self {
        self.click("OpenDemo");
        assert_eq!(self.harness.state().state.screen, Screen::Explore);
        self
    }

    pub fn rect(&self, name: &str) -> egui::Rect {
        *self.harness.state().state.rects.get(name).unwrap_or_else(|| {
            panic!("no `{name}` on screen; there are {:?}", self.harness.state().state.rects.keys().collect::<Vec<_>>())
        })
    }

    /// Clicks the middle of a named widget.
    pub fn click(&mut self, name: &str) {
        let at = self.rect(name).center();
        self.click_at(at);
    }

    pub fn click_at(&mut self, at: egui::Pos2) {
        self.harness.hover_at(at);
        self.harness.run();
        for pressed in [true, false] {
            self.harness.event(egui::Event::PointerButton {
                pos: at,
                button: egui::PointerButton::Primary,
                pressed,
                modifiers: egui::Modifiers::NONE,
            });
        }
        self.harness.run();
    }

    pub fn hover(&mut self, name: &str) {
        let at = self.rect(name).center();
        self.harness.hover_at(at);
        self.harness.run();
    }

    pub fn key(&mut self, modifiers: egui::Modifiers, key: egui::Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run();
    }

    /// How many requests of a kind were sent.
    pub fn count(&self, which: impl Fn(&paser_protocol::Request) -> bool) -> usize {
        self.shared.borrow().requests.iter().filter(|request| which(request)).count()
    }

    /// Answers what was held.
    pub fn let_go(&mut self) {
        let held = self.shared.borrow_mut().let_go();
        for answer in held {
            answer();
        }
        self.harness.run();
    }

    pub fn press(&mut self, at: egui::Pos2, pressed: bool) {
        self.harness.event(egui::Event::PointerButton {
            pos: at,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: egui::Modifiers::NONE,
        });
        self.harness.step();
    }

    pub fn state(&self) -> &ui::state::AppState {
        &self.harness.state().state
    }

    pub fn requests(&self) -> Vec<paser_protocol::Request> {
        self.shared.borrow().requests.clone()
    }

    pub fn send(&self, event: paser_protocol::Event) {
        self.incoming(ui::transport::Incoming::Event(event));
    }

    pub fn incoming(&self, incoming: ui::transport::Incoming) {
        let listener = self.shared.borrow().listener();
        listener.unwrap()(incoming);
    }
}
