//! The addresses: `POST /api/request`, `GET /api/column/{key}`, `GET /api/font/{script}`, `GET /api/events`, and the
//! bundle.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Request, State, WebSocketUpgrade, ws},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use paser_engine::Studio;
use paser_protocol::{Event, Failure, Report, Script};
use tokio::sync::broadcast;

use crate::{bundle, fonts, guard::Guard};

/// The largest request: a list of every row of a pool of two million samples.
const LARGEST_REQUEST: usize = 32 << 20;

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; \
    connect-src 'self' ws://127.0.0.1:* ws://localhost:*; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Clone)]
struct Shared {
    studio: Arc<Studio>,
    events: broadcast::Sender<Arc<str>>,
}

pub fn router(studio: Arc<Studio>, guard: Guard, events: broadcast::Sender<Arc<str>>) -> Router {
    let guard = Arc::new(guard);
    let api = Router::new()
        .route("/api/request", post(request))
        .route("/api/column/{key}", get(column))
        .route("/api/font/{script}", get(font))
        .route("/api/events", get(listen))
        .layer(middleware::from_fn_with_state(Arc::clone(&guard), admit))
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
        .with_state(Shared { studio, events });
    Router::new().merge(api).fallback(get(page)).layer(middleware::from_fn_with_state(guard, our_host))
}

/// Every address, the bundle's too, answers to this host's name only.
async fn our_host(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if guard.host_is_ours(request.headers()) {
        next.run(request).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}

/// Origin, then preflight, then token.
async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let Ok(origin) = guard.origin(request.headers()) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let origin = origin.and_then(|origin| HeaderValue::from_str(origin).ok());
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else if guard.token_is_right(request.headers(), request.uri()) {
        next.run(request).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

async fn request(State(shared): State<Shared>, Json(request): Json<paser_protocol::Request>) -> Response {
    match on_worker(move || shared.studio.handle(request)).await {
        Ok(reply) => Json(reply).into_response(),
        Err(report) => refuse(&report),
    }
}

async fn column(State(shared): State<Shared>, Path(key): Path<String>) -> Response {
    match on_worker(move || shared.studio.column(&key)).await {
        Ok(bytes) => (
            [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")],
            Body::from(bytes.to_vec()),
        )
            .into_response(),
        Err(report) => refuse(&report),
    }
}

/// A font file of this machine behind four bytes: which face of a collection it is, little-endian.
async fn font(Path(script): Path<String>) -> Response {
    let found = on_worker(move || {
        let script = Script::by_name(&script)
            .ok_or_else(|| Report::new(Failure::Usage, format!("There is no script called {script:?}."), ""))?;
        fonts::find(script).ok_or_else(|| {
            Report::new(
                Failure::Machine,
                format!("No font of this machine has {} letters.", script.name()),
                "Install one, such as Noto Sans, and open the window again; until then they may be boxes.",
            )
        })
    });
    match found.await {
        Ok(fonts::Font { bytes, index }) => {
            let body = [index.to_le_bytes().as_slice(), &bytes].concat();
            let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
            (headers, Body::from(body)).into_response()
        }
        Err(report) => refuse(&report),
    }
}

/// Engine calls may compute for seconds: they stay off the threads that serve.
async fn on_worker<T: Send + 'static>(call: impl FnOnce() -> Result<T, Report> + Send + 'static) -> Result<T, Report> {
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|error| {
        Err(Report::new(
            Failure::Failed,
            format!("the engine stopped in the middle of an answer: {error}"),
            "The project on disk is intact. Please report this with the log.",
        ))
    })
}

fn refuse(report: &Report) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(report)).into_response()
}

async fn listen(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    let mut events = shared.events.subscribe();
    upgrade.on_upgrade(async move |mut socket| {
        loop {
            tokio::select! {
                text = next(&mut events, &shared.studio) => match text {
                    Some(text) => if socket.send(ws::Message::Text(text.as_ref().into())).await.is_err() { return },
                    None => return,
                },
                message = socket.recv() => if !matches!(message, Some(Ok(_))) { return },
            }
        }
    })
}

/// The next event for a page. One that fell behind is told that the project changed, so that it asks for it: the end of
/// a run may be among what it missed. None: there will be no more.
async fn next(events: &mut broadcast::Receiver<Arc<str>>, studio: &Studio) -> Option<Arc<str>> {
    loop {
        match events.recv().await {
            Ok(text) => return Some(text),
            Err(broadcast::error::RecvError::Closed) => return None,
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "a page is too slow and misses events");
                let Ok(session) = studio.session() else { continue };
                let event = serde_json::to_string(&Event::Project { revision: session.revision() });
                match event {
                    Ok(text) => return Some(text.into()),
                    Err(error) => tracing::error!(%error, "an event could not be written"),
                }
            }
        }
    }
}

async fn page(uri: Uri, method: Method, request: Request) -> Response {
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let name = match uri.path() {
        "/" => "index.html",
        path => path.trim_start_matches('/'),
    };
    let brotli_accepted = request
        .headers()
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|coding| coding.trim().starts_with("br")));
    let compressed = brotli_accepted.then(|| bundle::file(&format!("{name}.br"))).flatten();
    let mut response = match (compressed.or_else(|| bundle::file(name)), name) {
        (Some(bytes), _) => ([(header::CONTENT_TYPE, bundle::content_type(name))], bytes).into_response(),
        (None, "index.html") => {
            ([(header::CONTENT_TYPE, bundle::content_type("index.html"))], bundle::MISSING).into_response()
        }
        (None, _) => return StatusCode::NOT_FOUND.into_response(),
    };
    let headers = response.headers_mut();
    if compressed.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
