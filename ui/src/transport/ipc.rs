//! The desktop shell's native dialogs and dropped files, by Tauri's IPC, and the browser's way to save a file. Everything else goes
//! over HTTP in the shell too, where bulk columns are four times as fast.

use std::rc::Rc;

use js_sys::{Array, Object, Reflect};
use paser_protocol::{Failure, Report};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::spawn_local;

use super::{Done, Incoming, PickKind, Saved};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["window", "__TAURI__", "core"], js_name = invoke)]
    async fn tauri_invoke(command: &str, arguments: JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["window", "__TAURI__", "core"], js_name = invoke)]
    async fn tauri_send(command: &str, bytes: JsValue, options: JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["window", "__TAURI__", "event"], js_name = listen)]
    async fn tauri_listen(event: &str, handler: &Closure<dyn Fn(JsValue)>) -> Result<JsValue, JsValue>;
}

/// Does this page run in the desktop shell?
pub fn available() -> bool {
    web_sys::window().is_some_and(|window| Reflect::has(&window, &"__TAURI_INTERNALS__".into()).unwrap_or(false))
}

pub fn pick(kind: PickKind, done: Done<Option<String>>) {
    let name = serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    spawn_local(async move {
        let arguments = Object::new();
        let filled = Reflect::set(&arguments, &"kind".into(), &name.into())
            .and_then(|_| Reflect::set(&arguments, &"title".into(), &kind.title().into()));
        let answer = match filled {
            Ok(_) => tauri_invoke("pick", arguments.into()).await,
            Err(error) => Err(error),
        };
        done(answer.map(|path| path.as_string()).map_err(|error| {
            let why = error.as_string().unwrap_or_else(|| format!("{error:?}"));
            Report::new(Failure::Machine, format!("The file dialog did not open: {why}"), "Type the path instead.")
        }));
    });
}

/// Tells of paths dropped on the window, which the shell keeps from the page itself.
pub fn listen_for_drops(on: Rc<dyn Fn(Incoming)>) {
    let dropped = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
        let paths = Reflect::get(&event, &"payload".into()).and_then(|payload| Reflect::get(&payload, &"paths".into()));
        let paths: Vec<String> = paths
            .ok()
            .filter(JsValue::is_array)
            .map_or_else(Vec::new, |paths| Array::from(&paths).iter().filter_map(|path| path.as_string()).collect());
        if !paths.is_empty() {
            on(Incoming::Dropped(paths));
        }
    });
    spawn_local(async move {
        if let Err(error) = tauri_listen("tauri://drag-drop", &dropped).await {
            log::error!("files cannot be dropped on the window: {error:?}");
        }
        // It is called for as long as the page lives.
        dropped.forget();
    });
}

/// Saves `bytes` where the person says in the native dialog, which begins with `name`.
pub fn save(name: &str, bytes: &[u8], done: Done<Saved>) {
    let (name, bytes) = (name.to_owned(), js_sys::Uint8Array::from(bytes));
    spawn_local(async move {
        let (options, headers) = (Object::new(), Object::new());
        // A header carries plain letters only.
        let filled = Reflect::set(&headers, &"file-name".into(), &js_sys::encode_uri_component(&name).into())
            .and_then(|_| Reflect::set(&options, &"headers".into(), &headers));
        let answer = match filled {
            Ok(_) => tauri_send("save", bytes.into(), options.into()).await,
            Err(error) => Err(error),
        };
        done(match answer {
            Ok(path) => Ok(path.as_string().map_or(Saved::Dismissed, Saved::At)),
            Err(error) => Err(not_saved(&name, &error)),
        });
    });
}

fn not_saved(name: &str, error: &JsValue) -> Report {
    let why = error.as_string().unwrap_or_else(|| format!("{error:?}"));
    Report::new(Failure::Machine, format!("{name} was not saved: {why}"), "Save it again, to another place.")
}

/// Saves `bytes` through the browser's download folder.
pub fn download(name: &str, bytes: &[u8]) -> Result<Saved, Report> {
    let save = || {
        let parts = Array::of1(&js_sys::Uint8Array::from(bytes));
        let blob = web_sys::Blob::new_with_u8_array_sequence(&parts)?;
        let url = web_sys::Url::create_object_url_with_blob(&blob)?;
        let document =
            web_sys::window().and_then(|window| window.document()).ok_or_else(|| JsValue::from_str("no document"))?;
        let anchor: web_sys::HtmlAnchorElement = document.create_element("a")?.dyn_into()?;
        anchor.set_href(&url);
        anchor.set_download(name);
        anchor.click();
        web_sys::Url::revoke_object_url(&url)
    };
    save().map(|()| Saved::Browser).map_err(|error| not_saved(name, &error))
}

/// Starts the page anew with another engine, under the names that `boot.js` keeps.
pub fn turn_to(base: &str, token: &str) -> Result<(), JsValue> {
    let window = web_sys::window().ok_or_else(|| JsValue::from_str("no window"))?;
    let kept = window.session_storage()?.ok_or_else(|| JsValue::from_str("this page keeps nothing"))?;
    for (name, value) in [("engine", base), ("token", token), ("own", ""), ("own-token", "")] {
        kept.set_item(&format!("paser-{name}"), value)?;
    }
    window.location().reload()
}
