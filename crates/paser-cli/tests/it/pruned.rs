//! Several pruned models in one project, by command.

use crate::support::{demo_files, paser_in};

#[test]
fn several_pruned_models_are_scored_shown_and_change_places() {
    let home = demo_files(250);
    let run = |line: &str| paser_in(home.path(), &line.split(' ').collect::<Vec<_>>());
    for (sparsity, out) in [("0.2", "light"), ("0.7", "heavy")] {
        run(&format!("prune dense --method magnitude --sparsity {sparsity} --calibration pool.jsonl --out {out}"))
            .well();
    }
    let refused = run("new q --pool pool.jsonl --dense dense --pruned pruned --pruned nowhere/at/all");
    assert!(refused.code == 3 && refused.stderr.contains("nowhere"), "{}", refused.stderr);
    run("new p --pool pool.jsonl --dense dense --pruned pruned --pruned light --pruned heavy --template chat").well();
    let recipe = home.path().join("p/recipe.toml");
    let text = fs_err::read_to_string(&recipe).unwrap();
    fs_err::write(&recipe, text.replace("clusters = \"automatic\"", "clusters = 4")).unwrap();

    let events = run("run p --json").well().json();
    let scoring = |event: &serde_json::Value| event["job"]["what"].as_str().map(str::to_owned);
    let told: Vec<String> = events.iter().filter_map(scoring).filter(|what| what.starts_with("scoring")).collect();
    assert!(told.iter().any(|what| what == "scoring heavy, 3 of 3"), "{told:?}");
    let finished = events.last().unwrap();
    let schemes = finished["schemes"].as_array().unwrap();
    let names: Vec<&str> = schemes.iter().map(|scheme| scheme["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["pruned", "light", "heavy"]);
    assert_eq!(schemes[0]["damage"][0]["cds"], finished["clusters"][0]["cds"]);
    assert!(schemes[1]["damage"][0]["cds"].as_f64() < schemes[2]["damage"][0]["cds"].as_f64(), "{schemes:?}");
    assert!(schemes.iter().all(|scheme| scheme["scored"] == 250 && scheme["whole"] == true));
    assert_eq!(&run("status p --json").well().last()["schemes"], &finished["schemes"]);

    let table = run("status p").well().stdout;
    let head = table.lines().find(|line| line.contains("heavy") && line.contains("95 %")).unwrap_or_default();
    assert!(head.contains("light") && head.contains("pruned"), "{table}");
    assert!(table.contains("magnitude 70 %") && table.contains("selections are made with it"), "{table}");
    assert_eq!(run("pruned p list --json").well().last()["schemes"], finished["schemes"]);

    let refused = run("select p --strategy paser --budget 20% --name a --pruned heavy");
    assert!(refused.code == 2 && refused.stderr.contains("paser pruned p use"), "{}", refused.stderr);
    let refused = run("select p --strategy paser --budget 20% --name a --pruned dense");
    assert!(refused.code == 2 && refused.stderr.contains("paser pruned p list"), "{}", refused.stderr);
    let used = run("pruned p use heavy --json").well().last();
    let score = used["stages"].as_array().unwrap().iter().find(|stage| stage["stage"] == "score").unwrap();
    assert_eq!(score["cached"], true, "nothing is scored again");
    assert_eq!(used["clusters"][0]["cds"], schemes[2]["damage"][0]["cds"]);
    let selected = run("select p --strategy paser --budget 20% --name a --pruned heavy --json").well().last();
    assert_eq!(selected["pruned"], "heavy");

    assert!(run("pruned p remove light").well().stdout.contains("gone"));
    assert_eq!(run("pruned p remove light").code, 2);
    let left = run("pruned p list").well().stdout;
    assert!(left.contains("pruned") && !left.contains("light"), "{left}");
    assert_eq!(run("pruned p add ./light --json").well().last()["schemes"].as_array().unwrap().len(), 3);
    assert!(fs_err::read_to_string(&recipe).unwrap().contains("light\"]"));
}
