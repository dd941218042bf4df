//! The engine over HTTP and WebSocket on the loopback interface, and the window's bundle beside it.
//!
//! Desktop and browser share this path: requests and columns by HTTP, events by WebSocket. Whoever lacks the token
//! of this start, or comes from another page or host name, gets nothing but the empty page.

mod background;
mod bundle;
mod fonts;
mod guard;
mod remote;
mod routes;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
};

use paser_engine::{Address, Studio};
use paser_protocol::Event;
use tokio::{
    net::TcpListener,
    sync::{broadcast, oneshot},
};

pub use background::{Background, run_in_background};
pub use guard::Guard;
pub use remote::Remote;

/// Pages of the desktop shell, as the three platforms name them. Every server lets them in: a shell shows the project of
/// another process, too.
const SHELL_ORIGINS: [&str; 2] = ["tauri://localhost", "http://tauri.localhost"];

/// Where `paser serve` is found unless told otherwise. A browser keeps what it remembers of the window by address.
pub const PORT: u16 = 7717;

/// A port on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    Exactly(u16),
    /// This one, or a free one where it is taken.
    Rather(u16),
    Free,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("port {port} on 127.0.0.1 cannot be opened: {source}. Choose another with --port, or leave it out")]
    Bind { port: u16, source: std::io::Error },
    #[error("the server's runtime did not start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// A running server. Dropping it stops it.
pub struct Server {
    address: SocketAddr,
    token: String,
    studio: Arc<Studio>,
    events: broadcast::Sender<Arc<str>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Listens on 127.0.0.1, for its own pages and those of the desktop shell.
    ///
    /// # Errors
    /// A port that is taken; a runtime that does not start.
    pub fn start(studio: Arc<Studio>, port: Port) -> Result<Self, ServerError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(bind(port))?;
        let address = listener.local_addr()?;
        let guard = Guard::new(address.port(), &SHELL_ORIGINS);
        let token = guard.token().to_owned();

        // One pump per server: the engine's events, serialised once for every listener.
        let (events, _) = broadcast::channel::<Arc<str>>(256);
        let received = studio.subscribe();
        let pump = events.clone();
        thread::Builder::new().name("events".into()).spawn(move || forward(&received, &pump))?;

        let router = routes::router(Arc::clone(&studio), guard, events.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("server".into()).spawn(move || {
            runtime.block_on(async {
                let serving = axum::serve(listener, router);
                tokio::select! {
                    result = serving => if let Err(error) = result { tracing::error!(%error, "server stopped") },
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        let server = Self { address, token, studio, events, stop: Some(stop), thread: Some(thread) };
        server.studio.serve_at(Some(Address { base: server.base(), token: server.token.clone() }));
        Ok(server)
    }

    /// A page listens to this server's engine.
    pub fn is_watched(&self) -> bool {
        self.events.receiver_count() > 0
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:PORT`
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address to open in a browser, token included.
    pub fn url(&self) -> String {
        format!("{}/?token={}", self.base(), self.token)
    }

    pub fn token(&self) -> &str {
        &self.token
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.studio.serve_at(None);
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only when the server already stopped.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the server's thread panicked");
        }
    }
}

async fn bind(port: Port) -> Result<TcpListener, ServerError> {
    let at = async |port| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        listener.map_err(|source| ServerError::Bind { port, source })
    };
    match port {
        Port::Exactly(port) => at(port).await,
        Port::Free => at(0).await,
        Port::Rather(port) => match at(port).await {
            Ok(listener) => Ok(listener),
            Err(_) => at(0).await,
        },
    }
}

fn forward(received: &std::sync::mpsc::Receiver<Event>, listeners: &broadcast::Sender<Arc<str>>) {
    while let Ok(event) = received.recv() {
        match serde_json::to_string(&event) {
            // No listener is the ordinary case between two page loads.
            Ok(text) => drop(listeners.send(text.into())),
            Err(error) => tracing::error!(%error, "an event could not be written"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use paser_engine::StudioOptions;

    use super::*;

    #[test]
    fn a_server_is_found_again_and_a_taken_port_stops_none() {
        let place = tempfile::tempdir().unwrap();
        let start = |port| {
            let options = StudioOptions { state_dir: Some(place.path().to_owned()), threads: 1, ..Default::default() };
            Server::start(Arc::new(Studio::new(options)), port)
        };
        let first = start(Port::Free).unwrap();
        let port = first.address.port();
        let second = start(Port::Rather(port)).unwrap();
        assert_ne!(second.address.port(), port);
        assert!(matches!(start(Port::Exactly(port)), Err(ServerError::Bind { .. })));
        assert_ne!(first.token(), second.token());
        drop(first);
        assert_eq!(start(Port::Rather(port)).unwrap().address.port(), port);
    }
}
