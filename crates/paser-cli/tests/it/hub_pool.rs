//! A pool from the hub, by command alone: which part of a data set, what a gated one wants, and what an export says of it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Ran, demo_files, paser_with, text};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_a_token_of_the_test";

/// A hub with the gated data set `org/mix`: two splits of JSON lines. Its address.
fn hub(train: String) -> String {
    let files = [("data/test.jsonl", "{}\n".to_owned()), ("data/train.jsonl", train)];
    let siblings = files.iter().map(|(name, body)| json!({"rfilename": name, "size": body.len()})).collect::<Vec<_>>();
    let card = json!({"license": "cc-by-sa-3.0", "dataset_info": {"splits":
        [{"name": "train", "num_examples": 150, "num_bytes": files[1].1.len()}]}});
    let listing = json!({"sha": COMMIT, "siblings": siblings, "cardData": card, "gated": "auto"}).to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |path: &str, head: &str| match path.split_once("/resolve/") {
        None if path.starts_with("/api/datasets/org/mix/revision/main?") => (200, listing.clone()),
        Some(_) if !head.contains(&format!("Bearer {TOKEN}")) => (401, String::new()),
        Some((_, file)) => {
            let found = files.iter().find(|(name, _)| file == format!("{COMMIT}/{name}"));
            found.map_or((404, String::new()), |(_, body)| (200, body.clone()))
        }
        None => (404, String::new()),
    };
    let serve = move || listener.incoming().flatten().for_each(|stream| one(&stream, &answer));
    thread::Builder::new().name("hub".to_owned()).spawn(serve).unwrap();
    address
}

fn one(mut stream: &TcpStream, answer: &dyn Fn(&str, &str) -> (u16, String)) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let asked = lines.next().unwrap_or_default();
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let mut words = asked.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, body) = answer(path, &head.join("\n"));
    let code = if status == 401 { "x-error-code: GatedRepo\r\n" } else { "" };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{code}content-length: {length}\r\n\r\n");
    let body = if method == "HEAD" { "" } else { &body };
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

fn files_under(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_under(&path, visit) } else { visit(&path) }
    }
}

#[test]
fn from_a_gated_data_set_to_an_export_that_names_its_licence() {
    let home = demo_files(150);
    let pool = home.path().join("pool.jsonl");
    let train = fs_err::read_to_string(&pool).unwrap();
    fs_err::remove_file(pool).unwrap();
    let address = hub(train);
    let run = |line: &str, more: &[(&str, &str)]| -> Ran {
        let online = [("HF_ENDPOINT", address.as_str()), ("HF_HUB_OFFLINE", "0")];
        paser_with(home.path(), &line.split(' ').collect::<Vec<_>>(), &[&online[..], more].concat())
    };
    let refused = |ran: &Ran, code: i32, parts: &[&str]| {
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr));
    };
    let new = "new p --dense dense --pruned pruned --template chat --pool hub:org/mix";
    refused(&run(new, &[]), 2, &["2 parts", "hub:org/mix:default/test"]);
    refused(&run(&format!("{new}:default/valid"), &[]), 2, &["no part default/valid", "default/train"]);
    refused(&run(&format!("{new}:train"), &[]), 2, &["hub:org/name:config/split"]);
    assert!(!home.path().join("p").exists());

    let made = run(&format!("{new}:default/train"), &[]).well();
    let told = format!("{}{}", made.stdout, made.stderr);
    for part in ["default/train, 1 file", "150 rows", "cc-by-sa-3.0", "gated"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let folder = home.path().join("p");
    let recipe = fs_err::read_to_string(folder.join("recipe.toml")).unwrap();
    assert!(recipe.contains("\"hub:org/mix:default/train\""), "{recipe}");
    fs_err::write(folder.join("recipe.toml"), recipe.replace("clusters = \"automatic\"", "clusters = 4")).unwrap();

    refused(&run("run p --until import", &[("HF_HUB_OFFLINE", "1")]), 4, &["HF_HUB_OFFLINE", "hub:org/mix"]);
    refused(&run("run p --until import", &[]), 3, &["org/mix is gated", "HF_TOKEN", "token file"]);
    run("run p", &[("HF_TOKEN", TOKEN)]).well();
    run("run p", &[("HF_HUB_OFFLINE", "1")]).well();
    run("select p --strategy random --budget 20% --name a", &[]).well();
    run("export p --selection a --format alpaca-json --out a.json", &[]).well();
    let manifest: Value = serde_json::from_slice(&fs_err::read(home.path().join("a.manifest.json")).unwrap()).unwrap();
    let source = &manifest["pool"]["source"];
    assert_eq!(source["licence"], "cc-by-sa-3.0", "{manifest}");
    assert_eq!((&source["commit"], &source["split"]), (&json!(COMMIT), &json!("train")));
    files_under(home.path(), &mut |file| {
        let bytes = fs_err::read(file).unwrap();
        let holds = bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
        assert!(!holds, "the token stands in {}", text(file));
    });
}
