//! The window as a test sees it: what the page publishes under `?e2e=1`, and clicks on widgets by their name.
//!
//! `window.__paser` is the state in brief (screen, revision, counts, rectangles by name), `window.__a11y` the
//! accessibility tree of the last frame.

use std::{
    env,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Driver, Screen, Session, programs, webdriver};

/// Longest wait for the window to reach a state: a first frame took nine seconds on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// WebDriver's code point.
const CONTROL: char = '\u{e009}';

/// Fields in this order: the session closes before its driver, the driver before screen and profile.
pub struct Window {
    pub session: Session,
    driver: Driver,
    _screen: Option<Screen>,
    /// The browser's profile, removed after it.
    _profile: Option<TempDir>,
}

impl Window {
    /// The page of `paser serve` in Chromium.
    ///
    /// # Errors
    /// Browser or driver are missing, or the page does not start.
    pub fn in_browser(url: &str, width: u32, height: u32, query: &str) -> Result<Self> {
        let window = Self::blank(width, height, &[])?;
        window.open(url, query)?;
        Ok(window)
    }

    /// An empty page in Chromium, started with further switches.
    ///
    /// # Errors
    /// Browser or driver are missing.
    pub fn blank(width: u32, height: u32, switches: &[&str]) -> Result<Self> {
        let port = webdriver::free_port()?;
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let driver = Driver::start(command, port)?;
        let place = tempfile::tempdir()?;
        let (size, profile) =
            (format!("--window-size={width},{height}"), format!("--user-data-dir={}", place.path().display()));
        let mut all = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--use-gl=angle",
            "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &size,
            &profile,
        ];
        all.extend(switches);
        let session = driver.session(&json!({ "browserName": "chrome", "goog:chromeOptions": { "args": all } }))?;
        // The headless window's own frame takes a part of --window-size: the page's size is what counts here.
        session.open("about:blank")?;
        session.resize_page(width, height)?;
        Ok(Self { session, driver, _screen: None, _profile: Some(place) })
    }

    /// Opens the page of `paser serve` in this browser and waits for its first frame.
    ///
    /// # Errors
    /// The page does not start.
    pub fn open(&self, url: &str, query: &str) -> Result<()> {
        self.session.open(&format!("{url}&e2e=1{query}"))?;
        self.wait("the first frame", |state| state.is_object()).map(drop)
    }

    /// The driver's process; the browser's are its children.
    pub fn process_id(&self) -> u32 {
        self.driver.process_id()
    }

    /// The desktop program on a screen of its own; `dialog` is what every file dialog answers.
    ///
    /// # Errors
    /// Program, screen or drivers are missing, or the window does not open.
    pub fn on_desktop(
        state: &Path,
        project: Option<&Path>,
        dialog: Option<&Path>,
        (width, height): (u32, u32),
        query: &str,
    ) -> Result<Self> {
        let screen = Screen::start(width, height)?;
        let bridge = env::var_os("PASER_TAURI_DRIVER")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/tauri-driver"), Into::into);
        let port = webdriver::free_port()?;
        let mut command = Command::new(bridge);
        command
            .args(["--port", &port.to_string(), "--native-port", &webdriver::free_port()?.to_string()])
            .env("DISPLAY", &screen.display)
            .env("GDK_BACKEND", "x11")
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("XDG_STATE_HOME", state)
            .env("XDG_DATA_HOME", state)
            .env("PASER_WINDOW_QUERY", format!("e2e=1{query}"))
            .env_remove("WAYLAND_DISPLAY");
        if let Some(dialog) = dialog {
            command.env("PASER_FAKE_DIALOG", dialog);
        }
        let driver = Driver::start(command, port)?;
        let application = programs::program("paser-studio")?;
        let arguments: Vec<String> = project.iter().map(|folder| folder.display().to_string()).collect();
        let session = driver.session(&json!({
            "browserName": "wry",
            "tauri:options": { "application": application, "args": arguments },
        }))?;
        let window = Self { session, driver, _screen: Some(screen), _profile: None };
        window.wait("the first frame", |state| state.is_object())?;
        Ok(window)
    }

    /// What the page publishes.
    ///
    /// # Errors
    /// The page is gone.
    pub fn state(&self) -> Result<Value> {
        self.session.script("return window.__paser || null", &[])
    }

    /// Polls the state until `reached`.
    ///
    /// # Errors
    /// It is not reached in time: the last state is in the message.
    pub fn wait(&self, what: &str, reached: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let state = self.state()?;
            if reached(&state) {
                return Ok(state);
            }
            if Instant::now() > deadline {
                bail!("waited in vain for {what}; the window's state is {state:#}");
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Runs a script until it returns something.
    ///
    /// # Errors
    /// It throws, or returns nothing in time.
    pub fn until_script(&self, code: &str) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.session.script(code, &[])?;
            if !value.is_null() {
                return Ok(value);
            }
            if Instant::now() > deadline {
                bail!("waited in vain for `{code}`");
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The rectangle of a named widget: left, top, right, bottom.
    ///
    /// # Errors
    /// It is not on screen.
    pub fn rectangle(&self, name: &str) -> Result<[f64; 4]> {
        let state = self.wait(&format!("the widget `{name}`"), |state| state["rects"][name].is_array())?;
        let corners = state["rects"][name].as_array().context("no rectangle")?;
        let corner = |index: usize| corners.get(index).and_then(Value::as_f64).ok_or_else(|| anyhow!("no corner"));
        Ok([corner(0)?, corner(1)?, corner(2)?, corner(3)?])
    }

    /// Puts `text` in the place of what stands in a named text field.
    ///
    /// # Errors
    /// It is not on screen.
    pub fn type_into(&self, name: &str, text: &str) -> Result<()> {
        self.click(name)?;
        self.session.keys(&[CONTROL], "a")?;
        self.session.keys(&[], text)
    }

    /// Whether these words, whole, stand on the page now.
    ///
    /// # Errors
    /// The page is gone.
    pub fn shows(&self, words: &str) -> Result<bool> {
        let nodes = self.session.script("return [window.__a11y || [], innerWidth, innerHeight]", &[])?;
        let page = [nodes[1].as_f64().unwrap_or_default(), nodes[2].as_f64().unwrap_or_default()];
        let inside = |rect: &Value| {
            let corner = |index: usize| rect[index].as_f64().unwrap_or(f64::NAN);
            corner(0) >= 0.0 && corner(1) >= 0.0 && corner(2) <= page[0] && corner(3) <= page[1]
        };
        Ok(nodes[0].as_array().is_some_and(|nodes| {
            nodes.iter().any(|node| node["text"].as_str() == Some(words) && inside(&node["rect"]))
        }))
    }

    /// Clicks a named widget in its middle.
    ///
    /// # Errors
    /// It is not on screen.
    pub fn click(&self, name: &str) -> Result<()> {
        let [left, top, right, bottom] = self.rectangle(name)?;
        self.session.click(f64::midpoint(left, right), f64::midpoint(top, bottom))
    }
}
