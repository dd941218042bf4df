//! The dozen WebDriver calls we need (W3C WebDriver, level 1): start, open, script, click, keys, screenshot.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use serde_json::{Value, json};

/// A driver process: `chromedriver` for the browser, `tauri-driver` for the desktop window.
pub struct Driver {
    child: Child,
    base: String,
}

impl Driver {
    /// Starts `command`, told to listen on `port`, and waits until it answers.
    ///
    /// # Errors
    /// The driver is missing or does not answer within a minute.
    pub fn start(mut command: Command, port: u16) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{name} could not be started: run `cargo xtask setup`"))?;
        let driver = Self { child, base: format!("http://127.0.0.1:{port}") };
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                bail!("{name} does not answer");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(driver)
    }

    /// Opens a session with these capabilities.
    ///
    /// # Errors
    /// What the driver says.
    pub fn session(&self, capabilities: &Value) -> Result<Session> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(180)))
            .http_status_as_error(false)
            .build()
            .into();
        let mut session = Session { agent, base: self.base.clone() };
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let deadline = Instant::now() + Duration::from_secs(60);
        let answer = loop {
            match session.call("POST", "/session", &body) {
                // `tauri-driver` answers before the native driver behind it does, and then just hangs up.
                Err(error) if error.is::<ureq::Error>() && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(200));
                }
                answer => break answer?,
            }
        };
        let id = answer["sessionId"].as_str().ok_or_else(|| anyhow!("no session id in {answer}"))?;
        session.base = format!("{}/session/{id}", self.base);
        Ok(session)
    }
}

impl Driver {
    /// The driver's process; the browser's are its children.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Already gone is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port nobody listens on just now.
///
/// # Errors
/// No socket to be had.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// An open window or page; dropping it closes it.
pub struct Session {
    agent: ureq::Agent,
    base: String,
}

impl Session {
    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let mut response = match method {
            "GET" => self.agent.get(&url).call()?,
            "DELETE" => self.agent.delete(&url).call()?,
            _ => self.agent.post(&url).send_json(body)?,
        };
        let mut answer: Value = response.body_mut().with_config().limit(64 << 20).read_json()?;
        if response.status().is_success() {
            Ok(answer["value"].take())
        } else {
            bail!("{method} {path}: {}", answer["value"])
        }
    }

    /// # Errors
    /// What the driver says.
    pub fn open(&self, url: &str) -> Result<()> {
        self.call("POST", "/url", &json!({ "url": url })).map(drop)
    }

    /// Gives the page itself this size, whatever frame the window has.
    ///
    /// # Errors
    /// What the driver says.
    pub fn resize_page(&self, width: u32, height: u32) -> Result<()> {
        let inner = self.script("return [innerWidth, innerHeight]", &[])?;
        let frame =
            |index: usize, wanted: u32| u64::from(2 * wanted).saturating_sub(inner[index].as_u64().unwrap_or_default());
        self.call("POST", "/window/rect", &json!({ "width": frame(0, width), "height": frame(1, height) })).map(drop)
    }

    /// Runs a script body; `arguments[i]` are `arguments`.
    ///
    /// # Errors
    /// What the script throws.
    pub fn script(&self, code: &str, arguments: &[Value]) -> Result<Value> {
        self.call("POST", "/execute/sync", &json!({ "script": code, "args": arguments }))
    }

    /// Runs a script at the start of every page from now on, before the page's own (Chromium only).
    ///
    /// # Errors
    /// What the driver says.
    pub fn before_every_page(&self, code: &str) -> Result<()> {
        let command = "Page.addScriptToEvaluateOnNewDocument";
        self.call("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": { "source": code } })).map(drop)
    }

    /// Presses and releases the left button at page coordinates.
    ///
    /// # Errors
    /// What the driver says.
    pub fn click(&self, x: f64, y: f64) -> Result<()> {
        self.drag(&[(x, y)])
    }

    /// Presses at the first point, moves over the others, releases at the last.
    ///
    /// # Errors
    /// What the driver says.
    pub fn drag(&self, path: &[(f64, f64)]) -> Result<()> {
        let move_to = |&(x, y): &(f64, f64)| json!({ "type": "pointerMove", "duration": 80, "x": x.round() as i64, "y": y.round() as i64, "origin": "viewport" });
        let pause = json!({ "type": "pause", "duration": 120 });
        let mut actions = vec![];
        for (index, point) in path.iter().enumerate() {
            actions.push(move_to(point));
            actions.push(pause.clone());
            if index == 0 {
                actions.push(json!({ "type": "pointerDown", "button": 0 }));
                actions.push(pause.clone());
            }
        }
        actions.push(json!({ "type": "pointerUp", "button": 0 }));
        self.actions(&json!([{ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": actions }]))
    }

    /// Moves the pointer without pressing.
    ///
    /// # Errors
    /// What the driver says.
    pub fn hover(&self, x: f64, y: f64) -> Result<()> {
        let moved = json!({ "type": "pointerMove", "duration": 80, "x": x.round() as i64, "y": y.round() as i64, "origin": "viewport" });
        self.actions(&json!([{ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": [moved] }]))
    }

    /// Presses the keys one after the other, holding the modifiers (WebDriver's code points, `\u{e009}` is Control).
    ///
    /// # Errors
    /// What the driver says.
    pub fn keys(&self, modifiers: &[char], keys: &str) -> Result<()> {
        let key = |kind: &str, value: char| json!({ "type": kind, "value": value.to_string() });
        let mut actions: Vec<Value> = modifiers.iter().map(|&modifier| key("keyDown", modifier)).collect();
        for character in keys.chars() {
            actions.push(key("keyDown", character));
            actions.push(key("keyUp", character));
        }
        actions.extend(modifiers.iter().map(|&modifier| key("keyUp", modifier)));
        self.actions(&json!([{ "type": "key", "id": "keyboard", "actions": actions }]))
    }

    fn actions(&self, actions: &Value) -> Result<()> {
        self.call("POST", "/actions", &json!({ "actions": actions })).map(drop)
    }

    /// The page as PNG.
    ///
    /// # Errors
    /// What the driver says.
    pub fn screenshot(&self) -> Result<Vec<u8>> {
        let answer = self.call("GET", "/screenshot", &Value::Null)?;
        let text = answer.as_str().ok_or_else(|| anyhow!("no picture in the answer"))?;
        Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A driver that was killed first has closed it.
        let _ = self.call("DELETE", "", &Value::Null);
    }
}
