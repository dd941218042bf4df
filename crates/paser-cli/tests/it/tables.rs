//! Samples as a table, and what lies on disk that can be had again.

use crate::support::paser_in;

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn samples_come_with_ids_filtered_and_in_order() {
    let home = tempfile::tempdir().unwrap();
    paser_in(home.path(), &["demo", "d"]).well();
    let filter =
        ["table", "d", "--columns", "jsd,cluster,map", "--where", "jsd > 0.2", "--sort", "jsd", "--descending"];
    let shown = paser_in(home.path(), &filter).well().stdout;
    let mut lines = shown.lines();
    let heads: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(heads[..6], ["id", "line", "jsd", "cluster", "map_x", "map_y"]);
    assert!(heads.contains(&"mark") && heads.contains(&"tags") && heads.contains(&"project"), "{heads:?}");
    let jsd: Vec<f32> = lines.map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert!(jsd.len() > 10 && jsd.iter().all(|jsd| *jsd > 0.2), "{} rows", jsd.len());
    assert!(jsd.windows(2).all(|pair| pair[0] >= pair[1]), "the largest first");

    // All of them, to a file, with a frozen selection's word for every sample.
    paser_in(home.path(), &words("select d --strategy random --budget 10% --name tenth")).well();
    let written =
        paser_in(home.path(), &words("table d --columns jsd --selection tenth --out all.csv --json")).well().last();
    let text = fs_err::read_to_string(home.path().join("all.csv")).unwrap();
    assert_eq!(text.lines().count() as u64, written["samples"].as_u64().unwrap() + 1);
    let place = text.lines().next().unwrap().split(',').position(|head| head == "tenth").unwrap();
    let taken = text.lines().skip(1).filter(|line| line.split(',').nth(place) == Some("taken")).count();
    assert!(taken > 100, "{taken} are taken");

    let whole = paser_in(home.path(), &words("table d --columns jsd --search umber")).well();
    let inside = paser_in(home.path(), &words("table d --columns jsd --search *umber*")).well();
    let more = inside.stdout.lines().count() - whole.stdout.lines().count();
    assert!(more > 0 && !inside.stderr.contains("Whole words"), "{}", inside.stderr);
    assert!(whole.stderr.contains("Whole words only") && whole.stderr.contains("'*umber*'"), "{}", whole.stderr);

    let refused = paser_in(home.path(), &words("table d --columns nonsense"));
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("nonsense") && refused.stderr.contains("jsd"), "{}", refused.stderr);
}

#[test]
fn a_cache_is_measured_and_cleared_only_when_it_is_meant() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join(".local/state/paser-studio/demo");
    fs_err::create_dir_all(&place).unwrap();
    fs_err::write(place.join("a"), [0; 5_000]).unwrap();
    let listed = paser_in(home.path(), &["caches", "--json"]).well().last();
    assert_eq!((&listed["caches"][0]["id"], listed["caches"][0]["bytes"].as_u64()), (&"demo".into(), Some(5_000)));
    let asked = paser_in(home.path(), &["caches", "clear", "demo"]);
    assert_eq!(asked.code, 2);
    assert!(asked.stderr.contains("--yes") && place.exists(), "{}", asked.stderr);
    paser_in(home.path(), &["caches", "clear", "demo", "--yes"]).well();
    assert!(!place.exists());
    assert_eq!(paser_in(home.path(), &["caches", "clear", "other", "--yes"]).code, 2);
}
