//! Who may talk to the server: the right token, this host's loopback name, and our own pages.
//!
//! The `Host` check stops DNS rebinding, the `Origin` check other pages of the same browser, the token everybody else
//! on this machine.

use axum::http::{HeaderMap, Uri, header};

/// A request from a page that is not ours.
#[derive(Debug)]
pub struct ForeignOrigin;

/// The checks of one server start.
#[derive(Clone, Debug)]
pub struct Guard {
    token: String,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    /// A fresh token of 256 bits; `origins` may call besides the server's own pages.
    pub fn new(port: u16, origins: &[&str]) -> Self {
        let token = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
        let hosts = vec![format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let mut allowed: Vec<String> = hosts.iter().map(|host| format!("http://{host}")).collect();
        allowed.extend(origins.iter().map(|origin| (*origin).to_owned()));
        Self { token, hosts, origins: allowed }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// The request's `Host` is this server's.
    pub fn host_is_ours(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .is_some_and(|host| self.hosts.iter().any(|ours| ours == host))
    }

    /// The `Origin`, if the request has one, is a page of ours; that origin is returned for the CORS answer.
    ///
    /// # Errors
    /// Another page asks.
    pub fn origin<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, ForeignOrigin> {
        match headers.get(header::ORIGIN) {
            None => Ok(None),
            Some(origin) => match origin.to_str() {
                Ok(origin) if self.origins.iter().any(|ours| ours == origin) => Ok(Some(origin)),
                _ => Err(ForeignOrigin),
            },
        }
    }

    /// The token stands in the `Authorization` header, or in the query where a WebSocket cannot send one.
    pub fn token_is_right(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let from_header = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let from_query = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("token=")));
        from_header.or(from_query).is_some_and(|given| equal_in_constant_time(given.as_bytes(), self.token.as_bytes()))
    }
}

fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
