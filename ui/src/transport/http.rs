//! The protocol over HTTP: `POST /api/request`, `GET /api/column/KEY`, and `/api/events` as a WebSocket that is
//! opened again when it is lost. Used in the browser and, with an address on 127.0.0.1, in the desktop shell.

use std::{cell::Cell, rc::Rc};

use js_sys::Uint8Array;
use paser_protocol::{Event, Failure, Reply, Report, Request, Script};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::{Done, Incoming, PickKind, Saved, Transport, ipc};

const AGAIN: &str = "Check that the engine is running, then reload this page.";

/// Where the engine is, and the word that opens its door.
pub struct Http {
    base: String,
    token: String,
    /// Address and token of this program's own engine, where the other one is another program's.
    own: Option<(String, String)>,
}

impl Http {
    /// `base` empty: the address this page came from.
    pub fn new(base: &str, token: &str, own: Option<(String, String)>) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), token: token.to_owned(), own }
    }
}

fn lost(what: &str) -> Report {
    Report::new(Failure::Machine, format!("The engine cannot be reached: {what}"), AGAIN)
}

fn words(value: &JsValue) -> String {
    value
        .as_string()
        .or_else(|| value.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())))
        .unwrap_or_else(|| format!("{value:?}"))
}

/// The body of an answer; an answer that is no success carries a `Report`.
async fn call(method: &str, url: &str, token: &str, body: Option<String>) -> Result<Vec<u8>, Report> {
    let fetch = async {
        let options = web_sys::RequestInit::new();
        options.set_method(method);
        if let Some(body) = &body {
            options.set_body(&JsValue::from_str(body));
        }
        let request = web_sys::Request::new_with_str_and_init(url, &options)?;
        request.headers().set("Authorization", &format!("Bearer {token}"))?;
        if body.is_some() {
            request.headers().set("Content-Type", "application/json")?;
        }
        let window = web_sys::window().ok_or_else(|| JsValue::from_str("no window"))?;
        let response: web_sys::Response = JsFuture::from(window.fetch_with_request(&request)).await?.dyn_into()?;
        let bytes = Uint8Array::new(&JsFuture::from(response.array_buffer()?).await?).to_vec();
        Ok::<_, JsValue>((response.ok(), response.status(), bytes))
    };
    let (ok, status, bytes) = fetch.await.map_err(|error| lost(&words(&error)))?;
    if ok {
        return Ok(bytes);
    }
    Err(serde_json::from_slice(&bytes).unwrap_or_else(|_| match status {
        401 | 403 => Report::new(
            Failure::Usage,
            "The engine refused this page: its token is missing or old.",
            "Open the address that the engine printed when it started.",
        ),
        _ => lost(&format!("it answered with status {status}")),
    }))
}

impl Transport for Http {
    fn request(&self, request: Request, done: Done<Reply>) {
        let (url, token) = (format!("{}/api/request", self.base), self.token.clone());
        spawn_local(async move {
            let reply = async {
                let body = serde_json::to_string(&request).map_err(|error| lost(&error.to_string()))?;
                let bytes = call("POST", &url, &token, Some(body)).await?;
                serde_json::from_slice(&bytes).map_err(|error| lost(&format!("its answer is not understood ({error})")))
            };
            done(reply.await);
        });
    }

    fn column(&self, key: &str, done: Done<Vec<u8>>) {
        let key = String::from(js_sys::encode_uri_component(key));
        let (url, token) = (format!("{}/api/column/{key}", self.base), self.token.clone());
        spawn_local(async move { done(call("GET", &url, &token, None).await) });
    }

    fn font(&self, script: Script, done: Done<Vec<u8>>) {
        let (url, token) = (format!("{}/api/font/{}", self.base, script.name()), self.token.clone());
        spawn_local(async move { done(call("GET", &url, &token, None).await) });
    }

    fn events(&self, on: Rc<dyn Fn(Incoming)>) {
        let base = if self.base.is_empty() {
            web_sys::window().and_then(|window| window.location().origin().ok()).unwrap_or_default()
        } else {
            self.base.clone()
        };
        if ipc::available() {
            ipc::listen_for_drops(on.clone());
        }
        let token = String::from(js_sys::encode_uri_component(&self.token));
        listen(Rc::new(format!("{}/api/events?token={token}", base.replacen("http", "ws", 1))), on);
    }

    fn has_own_engine(&self) -> bool {
        self.own.is_some()
    }

    fn turn_to_own_engine(&self) {
        let Some((base, token)) = &self.own else { return };
        if let Err(error) = ipc::turn_to(base, token) {
            log::error!("the window cannot turn to its own engine: {error:?}");
        }
    }

    fn has_dialogs(&self) -> bool {
        ipc::available()
    }

    fn pick(&self, kind: PickKind, done: Done<Option<String>>) {
        ipc::pick(kind, done);
    }

    fn save(&self, name: &str, bytes: &[u8], done: Done<Saved>) {
        if ipc::available() {
            ipc::save(name, bytes, done);
        } else {
            done(ipc::download(name, bytes));
        }
    }
}

/// Opens the stream; two seconds after it was lost, again.
fn listen(url: Rc<String>, on: Rc<dyn Fn(Incoming)>) {
    let Ok(socket) = web_sys::WebSocket::new(&url) else {
        on(Incoming::Connected(false));
        return;
    };
    let opened = {
        let on = on.clone();
        Closure::<dyn Fn()>::new(move || on(Incoming::Connected(true)))
    };
    let message = {
        let on = on.clone();
        Closure::<dyn Fn(web_sys::MessageEvent)>::new(move |event: web_sys::MessageEvent| {
            if let Some(event) = event.data().as_string().and_then(|text| serde_json::from_str::<Event>(&text).ok()) {
                on(Incoming::Event(event));
            }
        })
    };
    socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
    socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
    let done = Cell::new(false);
    // The closures live exactly as long as their socket: the last one owns them.
    let closed = Closure::<dyn Fn()>::new(move || {
        let _alive = (&opened, &message);
        if done.replace(true) {
            return;
        }
        on(Incoming::Connected(false));
        let (url, on) = (url.clone(), on.clone());
        let again = Closure::once_into_js(move || listen(url, on));
        if let Some(window) = web_sys::window() {
            let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(again.unchecked_ref(), 2_000);
        }
    });
    socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
    closed.forget();
}
