//! The size of a model before it is fetched.

use paser_hub::{HubError, ModelSize, model_files, model_size};
use paser_protocol::Silent;

use super::{Home, files, id, is_download};
use crate::server::{COMMIT, Reply, Server};

#[test]
fn a_model_is_weighed_by_the_listing_alone() {
    let server = Server::start(&files(), |_| None);
    let mut home = Home::new(&server);
    let size = || model_size(&id(), &model_files(), &home.env, &Silent);
    let wanted: u64 = files()[..3].iter().map(|(_, body)| body.len() as u64).sum();
    assert_eq!(
        size().unwrap(),
        ModelSize { missing_bytes: Some(wanted), parameters: Some(375_000), ..ModelSize::default() }
    );
    assert!(!server.requests().iter().any(is_download), "nothing was fetched");
    home.fetch().unwrap();
    assert_eq!(size().unwrap().missing_bytes, Some(0));
    home.env.offline = true;
    let refused = model_size(&id(), &model_files(), &home.env, &Silent).unwrap_err();
    assert!(matches!(refused, HubError::Offline { .. }), "{refused}");
}

#[test]
fn licence_and_gate_of_a_model_are_told() {
    let listed = serde_json::json!({"sha": COMMIT, "gated": "manual", "cardData": {"license": "llama3"}, "siblings": [
        {"rfilename": "config.json"}, {"rfilename": "tokenizer.json"}, {"rfilename": "model.safetensors"}
    ]});
    let body = listed.to_string().into_bytes();
    let server = Server::start(&files(), move |_| Some(Reply { status: 200, body: body.clone(), ..Reply::default() }));
    let size = model_size(&id(), &model_files(), &Home::new(&server).env, &Silent).unwrap();
    assert_eq!((size.licence.as_deref(), size.gated), (Some("llama3"), true));
}

#[test]
fn what_a_mirror_leaves_out_is_not_made_up() {
    let bare = serde_json::json!({"sha": COMMIT, "siblings": [
        {"rfilename": "config.json"}, {"rfilename": "tokenizer.json"}, {"rfilename": "model.safetensors"}
    ]});
    let body = bare.to_string().into_bytes();
    let server = Server::start(&files(), move |_| Some(Reply { status: 200, body: body.clone(), ..Reply::default() }));
    let home = Home::new(&server);
    assert_eq!(model_size(&id(), &model_files(), &home.env, &Silent).unwrap(), ModelSize::default());
}
