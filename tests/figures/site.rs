//! Serves one folder to the browser on this machine, isolated, so that the page's clock counts in microseconds.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
};

use anyhow::Result;

/// Serves `folder` until the program ends; its address.
pub fn serve(folder: &Path) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = format!("http://127.0.0.1:{}/", listener.local_addr()?.port());
    let folder = folder.to_owned();
    thread::Builder::new().name("site".into()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // A browser that hangs up asks again.
            let _ = answer(stream, &folder);
        }
    })?;
    Ok(address)
}

fn answer(mut stream: TcpStream, folder: &Path) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split_whitespace().nth(1).unwrap_or("/");
    let name = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let name = PathBuf::from(if name.is_empty() { "index.html" } else { name });
    let kind = match name.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        _ => "application/wasm",
    };
    // A bare file name only: nothing outside of the folder.
    let bytes = match name.file_name() {
        Some(file) if file == name.as_os_str() => fs_err::read(folder.join(file)).ok(),
        _ => None,
    };
    let status = if bytes.is_some() { "200 OK" } else { "404 Not Found" };
    let bytes = bytes.unwrap_or_default();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n\r\n",
        bytes.len()
    )?;
    stream.write_all(&bytes)?;
    Ok(())
}
