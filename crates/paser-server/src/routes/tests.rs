//! Who is let in, and who is not: every address with a wrong origin, host, token, method, size or name.
#![allow(clippy::unwrap_used)]

use axum::http::Request as HttpRequest;
use paser_engine::StudioOptions;
use paser_protocol::ProjectDraft;
use tower::ServiceExt as _;

use super::*;

const PORT: u16 = 7000;
const HOST: &str = "127.0.0.1:7000";
const SHELL: &str = "tauri://localhost";

struct House {
    router: Router,
    token: String,
    studio: Arc<Studio>,
    place: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let options = StudioOptions { state_dir: Some(place.path().to_owned()), threads: 1, ..Default::default() };
        let studio = Arc::new(Studio::new(options));
        let guard = Guard::new(PORT, &[SHELL]);
        let token = guard.token().to_owned();
        let router = router(studio.clone(), guard, broadcast::channel(4).0);
        Self { router, token, studio, place }
    }

    /// A request with this server's host name.
    fn to(&self, method: Method, path: &str) -> axum::http::request::Builder {
        HttpRequest::builder().method(method).uri(path).header(header::HOST, HOST)
    }

    fn with_token(&self, method: Method, path: &str) -> axum::http::request::Builder {
        self.to(method, path).header(header::AUTHORIZATION, format!("Bearer {}", self.token))
    }

    async fn answer(&self, request: axum::http::request::Builder, body: impl Into<Body>) -> Response {
        self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap()
    }

    async fn status(&self, request: axum::http::request::Builder) -> StatusCode {
        self.answer(request, Body::empty()).await.status()
    }

    fn project(&self) {
        let text = |name: &str| self.place.path().join(name).to_string_lossy().into_owned();
        fs_err::write(text("pool.jsonl"), "{\"instruction\": \"a\", \"output\": \"b\"}\n").unwrap();
        let draft = ProjectDraft { folder: text("p"), pool: text("pool.jsonl"), ..ProjectDraft::default() };
        self.studio.handle(paser_protocol::Request::CreateProject { draft, run: false }).unwrap();
    }
}

/// What a browser sends to open a WebSocket.
fn socket(request: axum::http::request::Builder) -> axum::http::request::Builder {
    request
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
}

#[tokio::test]
async fn events_are_for_our_pages_with_the_token_only() {
    let house = House::new();
    let path = format!("/api/events?token={}", house.token);
    let foreign = socket(house.to(Method::GET, &path)).header(header::ORIGIN, "http://example.org");
    assert_eq!(house.status(foreign).await, StatusCode::FORBIDDEN);
    let no_token = socket(house.to(Method::GET, "/api/events")).header(header::ORIGIN, format!("http://{HOST}"));
    assert_eq!(house.status(no_token).await, StatusCode::UNAUTHORIZED);
    let wrong = socket(house.to(Method::GET, "/api/events?token=0"));
    assert_eq!(house.status(wrong).await, StatusCode::UNAUTHORIZED);
    let elsewhere = HttpRequest::builder().uri(&path).header(header::HOST, "example.org:7000");
    assert_eq!(house.status(socket(elsewhere)).await, StatusCode::MISDIRECTED_REQUEST);
    // Let in, it gets as far as a test without a connection can: there is nothing to upgrade.
    let ours = socket(house.to(Method::GET, &path)).header(header::ORIGIN, format!("http://{HOST}"));
    assert_eq!(house.status(ours).await, StatusCode::UPGRADE_REQUIRED);
}

#[tokio::test]
async fn columns_and_requests_want_the_token() {
    let house = House::new();
    for (method, path) in [(Method::GET, "/api/column/demo-positions"), (Method::POST, "/api/request")] {
        assert_eq!(house.status(house.to(method.clone(), path)).await, StatusCode::UNAUTHORIZED, "{path}");
        let wrong = house.to(method, path).header(header::AUTHORIZATION, format!("Bearer {}0", house.token));
        assert_eq!(house.status(wrong).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(house.status(house.with_token(Method::GET, "/api/column/demo-positions")).await, StatusCode::OK);
    let hello = house.with_token(Method::POST, "/api/request").header(header::CONTENT_TYPE, "application/json");
    assert_eq!(house.answer(hello, r#"{"do":"hello"}"#).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_preflight_is_answered_to_our_pages_and_to_no_other() {
    let house = House::new();
    let ask = |origin: &str| house.to(Method::OPTIONS, "/api/request").header(header::ORIGIN, origin);
    let foreign = house.answer(ask("http://example.org"), Body::empty()).await;
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    assert!(!foreign.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let ours = house.answer(ask(SHELL), Body::empty()).await;
    assert_eq!(ours.status(), StatusCode::NO_CONTENT);
    assert_eq!(ours.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], SHELL);
}

#[tokio::test]
async fn a_request_beyond_all_measure_is_refused() {
    let house = House::new();
    let request = house.with_token(Method::POST, "/api/request").header(header::CONTENT_TYPE, "application/json");
    let body = format!("{{\"do\":\"hello\",\"x\":\"{}\"}}", "x".repeat(LARGEST_REQUEST));
    assert_eq!(house.answer(request, body).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn names_that_climb_find_nothing() {
    let house = House::new();
    for path in ["/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2fetc%2fpasswd", "/..%5cboot.ini"] {
        assert_eq!(house.status(house.to(Method::GET, path)).await, StatusCode::NOT_FOUND, "{path}");
    }
    house.project();
    for key in ["%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%2fproject.db", "%2fetc%2fpasswd"] {
        let status = house.status(house.with_token(Method::GET, &format!("/api/column/{key}"))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{key}");
    }
    assert_eq!(house.status(house.to(Method::POST, "/index.html")).await, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_page_that_fell_behind_is_told_to_look_again() {
    let house = House::new();
    let (sender, mut events) = broadcast::channel::<Arc<str>>(2);
    for event in ["one", "two", "three", "four"] {
        sender.send(event.into()).unwrap();
    }
    // With no project open there is nothing to look at.
    assert_eq!(next(&mut events, &house.studio).await.as_deref(), Some("three"));
    house.project();
    for event in ["five", "six", "seven"] {
        sender.send(event.into()).unwrap();
    }
    let text = next(&mut events, &house.studio).await.unwrap();
    let event: Event = serde_json::from_str(&text).unwrap();
    let revision = house.studio.session().unwrap().revision();
    assert_eq!(event, Event::Project { revision });
    assert_eq!(next(&mut events, &house.studio).await.as_deref(), Some("six"));
    drop(sender);
    assert_eq!(next(&mut events, &house.studio).await.as_deref(), Some("seven"));
    assert_eq!(next(&mut events, &house.studio).await, None);
}
