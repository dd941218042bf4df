#![allow(clippy::unwrap_used)]
mod support;
use std::io::{Read as _, Write as _};

#[test]
#[ignore = "scratch server"]
fn serve() {
    let engine = support::engine::Engine::new();
    let mut columns = engine.columns();
    let mut answer = engine.answer();
    let n: usize = std::env::var("POINTS").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    if n > 0 {
        let grow = |bytes: &Vec<u8>, size: usize| bytes.iter().copied().cycle().take(n * size).collect::<Vec<u8>>();
        for (key, size) in [("k-map", 8), ("k-cluster", 4), ("k-jsd", 4), ("k-ies", 4), ("k-response_tokens", 4)] {
            let mut bytes = grow(&columns[key], size);
            if key == "k-map" {
                let mut r = support::fixture::Random::new(5);
                let mut xy = paser_protocol::decode_f32(&bytes);
                for v in &mut xy { *v += (r.unit() - 0.5) * 0.6; }
                bytes = paser_protocol::encode_f32(&xy);
            }
            columns.insert(key.into(), bytes);
        }
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:8899").unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut data = Vec::new();
        let mut buffer = [0; 65536];
        let (head, body) = loop {
            let got = stream.read(&mut buffer).unwrap_or(0);
            if got == 0 { break (String::new(), vec![]); }
            data.extend_from_slice(&buffer[..got]);
            if let Some(at) = data.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&data[..at]).to_string();
                let length: usize = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse().unwrap())).unwrap_or(0);
                while data.len() < at + 4 + length {
                    let got = stream.read(&mut buffer).unwrap();
                    data.extend_from_slice(&buffer[..got]);
                }
                break (head, data[at + 4..].to_vec());
            }
        };
        let path = head.split_whitespace().nth(1).unwrap_or("/").split('?').next().unwrap().to_owned();
        let mut kind = "application/json";
        let (status, bytes) = if path == "/api/request" {
            let request = serde_json::from_slice(&body).unwrap();
            let reply = answer(&request);
            columns.extend(engine.fresh_columns());
            match reply { Ok(reply) => (200, serde_json::to_vec(&reply).unwrap()), Err(report) => (422, serde_json::to_vec(&report).unwrap()) }
        } else if let Some(key) = path.strip_prefix("/api/column/") {
            match columns.get(key) { Some(b) => (200, b.clone()), None => (404, b"{}".to_vec()) }
        } else if path.starts_with("/api/") { (404, vec![]) } else {
            let file = if path == "/" { "index.html".to_owned() } else { path[1..].to_owned() };
            kind = match file.rsplit('.').next().unwrap() { "html" => "text/html", "js" => "text/javascript", "css" => "text/css", "wasm" => "application/wasm", _ => "application/octet-stream" };
            match std::fs::read(format!("{}/../dist/{file}", env!("CARGO_MANIFEST_DIR"))) { Ok(b) => (200, b), Err(_) => (404, vec![]) }
        };
        let csp = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws:";
        let _ = stream.write_all(format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nContent-Security-Policy: {csp}\r\nConnection: close\r\n\r\n", bytes.len()).as_bytes());
        let _ = stream.write_all(&bytes);
    }
}
