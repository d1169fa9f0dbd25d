//! Alerts and dashboard: they ask for figures that there are.

use std::collections::BTreeSet;

use super::*;
use crate::support::Directory;

/// The names of figures in an expression.
fn figures_of(expression: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = expression.split(|c| !is_part(c));
    names
        .filter(|name| name.starts_with("trailkeep_"))
        .map(str::to_owned)
        .collect()
}

fn rules() -> Vec<Value> {
    let file = &yaml("prometheus/trailkeep.rules.yml")[0];
    let groups = file["groups"].as_array().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap());
    rules.cloned().collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana/trailkeep.json")).unwrap()
}

fn targets() -> Vec<Value> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.cloned().collect()
}

/// The figures that a server shows to the operator.
fn exposed() -> BTreeSet<String> {
    let directory = Directory::new();
    // Its policy asks for more: figures by policy are shown once there are any.
    directory.append(r#"{"action":"chat.completion","actor":{"id":"bot"},"regimes":["hipaa"]}"#);
    let place = tempfile::tempdir().unwrap();
    let config = directory.path.with_file_name("trailkeep.toml");
    let section = format!(
        "[[anchor]]\nname = \"nas\"\ndirectory = \"{}\"\n",
        place.path().display()
    );
    std::fs::write(&config, section).unwrap();
    let server = directory.serve_as(&["--config", config.to_str().unwrap()], &[]);
    let text = server.client().get("/metrics").unwrap().text();
    server.stop();
    assert!(
        text.contains("trailkeep_anchored_entries{target=\"nas\",kind=\"directory\"}"),
        "{text}"
    );
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut names = BTreeSet::new();
    for (name, kind) in types.filter_map(|line| line.split_once(' ')) {
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        names.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    }
    names
}

#[test]
fn every_figure_that_is_asked_for_is_shown() {
    let exposed = exposed();
    let rules = rules();
    let expressions = rules.iter().map(|rule| rule["expr"].clone());
    let expressions = expressions.chain(targets().into_iter().map(|target| target["expr"].clone()));
    let mut asked = BTreeSet::new();
    for expression in expressions {
        asked.extend(figures_of(expression.as_str().unwrap()));
    }
    assert!(asked.len() > 5);
    let missing: Vec<&String> = asked.difference(&exposed).collect();
    assert!(
        missing.is_empty(),
        "{missing:?} are not shown; {exposed:?} are"
    );
}

#[test]
fn rules_say_what_is_wrong_and_how_bad() {
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap().to_owned();
        assert!(
            ["critical", "warning", "info"].contains(&rule["labels"]["severity"].as_str().unwrap())
        );
        for text in ["summary", "description"] {
            assert!(
                rule["annotations"][text]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{name}"
            );
        }
        let expression = rule["expr"].as_str().unwrap();
        let count = |c: char| expression.matches(c).count();
        assert_eq!(count('('), count(')'), "{name}");
        assert!(names.insert(name));
    }
    // The scrape finds the rules, the route and the job that they name.
    let scrape = &yaml("prometheus/scrape.yml")[0];
    assert!(
        path(&format!(
            "prometheus/{}",
            scrape["rule_files"][0].as_str().unwrap()
        ))
        .exists()
    );
    let job = &scrape["scrape_configs"][0];
    let route = job["metrics_path"].as_str().unwrap();
    assert!(
        trailkeep_server::document()["paths"].get(route).is_some(),
        "{route}"
    );
    let named = format!("job=\"{}\"", job["job_name"].as_str().unwrap());
    assert!(
        rules()
            .iter()
            .any(|rule| rule["expr"].as_str().unwrap().contains(&named))
    );
}

#[test]
fn the_dashboard_is_one_that_can_be_loaded() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], "trailkeep");
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let mut ids = BTreeSet::new();
    let mut taken: Vec<[u64; 4]> = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()));
        assert!(["stat", "timeseries"].contains(&panel["type"].as_str().unwrap()));
        assert!(
            names.contains(
                &panel["datasource"]["uid"]
                    .as_str()
                    .unwrap()
                    .trim_matches(['$', '{', '}'])
            )
        );
        let place = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        let [x, y, w, h] = place;
        assert!(x + w <= 24, "{panel}");
        let is_free = |[ox, oy, ow, oh]: &[u64; 4]| {
            x + w <= *ox || ox + ow <= x || y + h <= *oy || oy + oh <= y
        };
        assert!(taken.iter().all(is_free), "{panel}");
        taken.push(place);
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            for variable in expression.split('$').skip(1) {
                let name: String = variable
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                assert!(
                    name.starts_with("__") || names.contains(&name.as_str()),
                    "{expression}"
                );
            }
        }
    }
}
