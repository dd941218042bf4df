//! What a hostile page, a rebound name, a body without end and a reader of logs get from the server: nothing.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{Served, Window, processes};
use serde_json::{Value, json};

const GIGABYTE: u64 = 1 << 30;
/// What a refused body may cost the server: the largest request that is let in, a few times over.
const REFUSAL: u64 = 160 << 20;

/// The engine behind a served window, asked as its own page asks.
struct Engine {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Engine {
    fn of(served: &Served) -> Result<Self> {
        let (base, token) = served.url.split_once("/?token=").context("no token in the address")?;
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_idle_connections(0);
        Ok(Self { agent: config.build().into(), base: base.to_owned(), token: token.to_owned() })
    }

    fn ask(&self, request: &Value) -> Result<Value> {
        let address = format!("{}/api/request", self.base);
        let post = self.agent.post(address).header("authorization", format!("Bearer {}", self.token));
        Ok(post.send_json(request)?.body_mut().read_json()?)
    }

    /// Revision and journal of the open project.
    fn standing(&self) -> Result<(Value, Value)> {
        let mut project = self.ask(&json!({ "do": "project" }))?;
        let revision = project["value"]["revision"].take();
        ensure!(revision.is_u64(), "no revision: {project}");
        Ok((revision, self.ask(&json!({ "do": "journal" }))?))
    }

    fn port(&self) -> Result<u16> {
        Ok(self.base.rsplit(':').next().context("no port in the address")?.parse()?)
    }
}

/// Serves one page at a port of its own: another origin of the same machine.
fn site(page: String) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    thread::Builder::new().name("site".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // A browser that hangs up in the middle has had its page.
            let _ = answer(stream, &page);
        }
    })?;
    Ok(port)
}

fn answer(mut stream: TcpStream, page: &str) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 8192])?;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    )
}

/// Everything that a page of another origin can try without a token, each with what it could read.
const ATTACK: &str = r#"<!doctype html><title>hostile</title><body><script>
const base = "BASE", found = {};
const request = (options) => fetch(base + "/api/request", { method: "POST", ...options }).then((answer) => answer.text());
const body = JSON.stringify({ do: "close-project" });
const tries = {
  read: () => request({ headers: { "content-type": "application/json" }, body: JSON.stringify({ do: "project" }) }),
  forged: () => request({ headers: { "content-type": "application/json", authorization: "Bearer " + "0".repeat(64) }, body }),
  simple: () => request({ headers: { "content-type": "text/plain" }, body }),
  blind: () => request({ mode: "no-cors", headers: { "content-type": "text/plain" }, body }),
  cookies: () => request({ mode: "no-cors", credentials: "include", body }),
  beacon: async () => { navigator.sendBeacon(base + "/api/request", new Blob([body], { type: "text/plain" })); return ""; },
  column: () => fetch(base + "/api/column/demo-positions").then((answer) => answer.text()),
  page: () => fetch(base + "/").then((answer) => answer.text()),
  socket: () => new Promise((got, failed) => {
    const socket = new WebSocket(base.replace("http", "ws") + "/api/events");
    socket.onopen = () => got("open"); socket.onmessage = (event) => got(event.data); socket.onerror = () => failed(new Error("refused"));
  }),
  frame: () => new Promise((got, failed) => {
    const frame = document.createElement("iframe");
    frame.src = base + "/";
    frame.onload = () => { try { got(frame.contentWindow.location.href + frame.contentDocument.body.innerHTML); } catch (error) { failed(error); } };
    document.body.append(frame);
  }),
  form: () => new Promise((got) => {
    const frame = document.createElement("iframe"); frame.name = "target"; document.body.append(frame);
    const form = document.createElement("form");
    form.action = base + "/api/request"; form.method = "post"; form.enctype = "text/plain"; form.target = "target";
    const field = document.createElement("input"); field.name = '{"do":"close-project","x":"'; field.value = '"}';
    form.append(field); document.body.append(form); form.submit();
    setTimeout(() => got(""), 1500);
  }),
};
(async () => {
  for (const [name, attempt] of Object.entries(tries)) {
    try { found[name] = await attempt(); } catch (error) { found[name] = null; }
  }
  window.found = found;
})();
</script></body>"#;

#[test]
fn a_page_of_another_site_reads_nothing_and_changes_nothing() -> Result<()> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let engine = Engine::of(&served)?;
    let window = Window::in_browser(&served.url, 1280, 800, "")?;
    // The window was open in this very browser: what it left there must be of no use to another page.
    window.open_demo()?;
    let pin = json!({ "do": "curate", "edit": { "edit": "pin", "rows": [3], "reason": "mine" } });
    let answered = engine.ask(&pin)?;
    let before = engine.standing()?;
    ensure!(before.1.to_string().contains("mine"), "the pin is not in the journal: {answered}");

    let port = site(ATTACK.replace("BASE", &engine.base))?;
    window.session.open(&format!("http://127.0.0.1:{port}/"))?;
    let found = window.until_script("return window.found || null")?;
    for (attempt, read) in found.as_object().context("no attempts")? {
        let text = read.as_str().unwrap_or_default();
        // An answer to a blind request is opaque: it reads as nothing.
        ensure!(text.is_empty(), "`{attempt}` read {text:.200}");
    }
    ensure!(found.as_object().is_some_and(|tries| tries.len() == 11), "not every attempt was made: {found}");
    ensure!(engine.standing()? == before, "a page of another site changed the project");
    Ok(())
}

#[test]
fn a_name_that_was_rebound_to_this_machine_is_refused() -> Result<()> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let engine = Engine::of(&served)?;
    let window = Window::blank(800, 600, &["--host-resolver-rules=MAP rebound.example 127.0.0.1"])?;
    let address = format!("http://rebound.example:{}", engine.port()?);
    window.session.open(&address)?;
    let page = window.session.script("return [document.title, !!document.querySelector('canvas')]", &[])?;
    ensure!(page[1] == false && page[0] != "PASER Studio", "the window opened under another name: {page}");
    // Not even the right token helps under another name.
    let host = address.trim_start_matches("http://");
    let bearer = format!("Bearer {}", engine.token);
    for path in ["/", "/api/column/demo-positions", "/api/events"] {
        let get = engine.agent.get(format!("{}{path}", engine.base)).header("host", host);
        let mut answer = get.header("authorization", &bearer).call()?;
        ensure!(
            answer.status() == 421 && answer.body_mut().read_to_string()?.is_empty(),
            "{path}: {}",
            answer.status()
        );
    }
    Ok(())
}

#[test]
fn a_body_of_a_gigabyte_is_refused_and_not_kept() -> Result<()> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let engine = Engine::of(&served)?;
    let before = processes::most_resident(served.process_id())?;
    for (token, expected) in [(engine.token.as_str(), "413"), ("0", "401")] {
        for framing in [format!("Content-Length: {GIGABYTE}"), "Transfer-Encoding: chunked".to_owned()] {
            let status = pour(&engine, token, &framing)?;
            ensure!(status == expected, "{framing}: {status}, not {expected}");
        }
    }
    ensure!(engine.ask(&json!({ "do": "hello" }))?.is_object(), "the server does not answer any more");
    let grown = processes::most_resident(served.process_id())?.saturating_sub(before);
    ensure!(grown < REFUSAL, "the server grew by {} MiB", grown >> 20);
    Ok(())
}

/// Sends a gigabyte until the server hangs up or has answered; its status.
fn pour(engine: &Engine, token: &str, framing: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", engine.port()?))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let host = engine.base.trim_start_matches("http://");
    write!(
        stream,
        "POST /api/request HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
    )?;
    let block = vec![b'x'; 1 << 20];
    let chunked = framing.starts_with("Transfer");
    for _ in 0..GIGABYTE >> 20 {
        let sent = if chunked {
            write!(stream, "{:x}\r\n", block.len())
                .and_then(|()| stream.write_all(&block))
                .and_then(|()| stream.write_all(b"\r\n"))
        } else {
            stream.write_all(&block)
        };
        if sent.is_err() {
            break;
        }
    }
    let mut head = [0; 12];
    stream.read_exact(&mut head).context("no answer before the end")?;
    Ok(String::from_utf8_lossy(&head[9..]).into_owned())
}

#[test]
fn the_token_is_in_no_log_and_in_no_file() -> Result<()> {
    let state = tempfile::tempdir()?;
    let log = state.path().join("stderr.log");
    let mut command = paser_tests::command(state.path())?;
    command.arg("--json").arg("serve").env("PASER_LOG", "trace").stderr(fs_err::File::create(&log)?.into_parts().0);
    let served = Served::run(command)?;
    let engine = Engine::of(&served)?;
    let window = Window::in_browser(&served.url, 1280, 800, "")?;
    window.open_demo()?;
    engine.ask(&json!({ "do": "curate", "edit": { "edit": "pin", "rows": [3], "reason": "" } }))?;
    let nonsense = engine
        .agent
        .post(format!("{}/api/request", engine.base))
        .header("authorization", format!("Bearer {}", engine.token));
    ensure!(nonsense.send_json(json!({ "do": "nonsense" }))?.status().is_client_error(), "nonsense was taken");
    drop(window);
    let logged = fs_err::read_to_string(&log)?;
    ensure!(logged.len() > 1000, "a trace of this length says nothing: {logged}");
    drop(served);
    // The lock names the owner's address to other programs of the same person, and nobody else may read it.
    let found = Command::new("grep")
        .args(["--recursive", "--files-with-matches", "--text", "--exclude=project.lock", &engine.token])
        .arg(state.path())
        .output()?;
    ensure!(found.stdout.is_empty(), "the token stands in {}", String::from_utf8_lossy(&found.stdout));
    Ok(())
}
