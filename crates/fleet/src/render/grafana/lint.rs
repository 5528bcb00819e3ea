//! What a dashboard must be before anybody sees it: the rules of Grafana's dashboard-linter that are about people, and ours.

use std::collections::BTreeSet;

use serde_json::Value;

/// All that is wrong with a dashboard, each with the panel that it is about.
pub(super) fn lint(dashboard: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |place: &str, what: String| faults.push(format!("{place}: {what}"));
    for field in ["uid", "title", "description", "refresh", "schemaVersion", "tags", "time"] {
        if dashboard.get(field).is_none_or(is_empty) {
            fault("dashboard", format!("no {field}"));
        }
    }
    let all = list(dashboard, "panels");
    let mut seen = BTreeSet::new();
    for panel in all {
        if !seen.insert(panel["id"].as_u64()) {
            fault(title(panel), format!("number {} stands twice", panel["id"]));
        }
        if panel["type"] != "row" {
            for what in of_panel(panel) {
                fault(title(panel), what);
            }
        }
    }
    for (place, one) in all.iter().enumerate() {
        for other in all.iter().skip(place + 1).filter(|other| overlap(one, other)) {
            fault(title(one), format!("lies over {:?}", title(other)));
        }
        let [x, y, width, height] = place_of(one);
        if x + width > 24 || width == 0 || height == 0 || (y == 0 && one["type"] != "row") {
            fault(title(one), format!("stands outside the grid: {}", one["gridPos"]));
        }
    }
    let known: BTreeSet<&str> =
        variables(dashboard).filter_map(|variable| variable["name"].as_str()).collect();
    for (path, text) in texts(dashboard) {
        for name in used_variables(text).into_iter().filter(|name| !known.contains(name.as_str())) {
            fault(&path, format!("no variable ${name} in {text:?}"));
        }
        if path.ends_with("/datasource/uid") && text != "${datasource}" {
            fault(&path, format!("the data source {text:?} is somebody's own"));
        }
    }
    for annotation in list(&dashboard["annotations"], "list") {
        for what in of_expr(&annotation["expr"]) {
            fault(annotation["name"].as_str().unwrap_or("annotation"), what);
        }
    }
    faults
}

fn of_panel(panel: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let wants = [("title", &panel["title"]), ("description", &panel["description"])];
    let drawn = [("unit", &panel["fieldConfig"]["defaults"]["unit"]), ("data source", &panel["datasource"])];
    for (name, value) in wants.into_iter().chain(drawn) {
        if is_empty(value) {
            faults.push(format!("no {name}"));
        }
    }
    if matches!(panel["type"].as_str(), Some("timeseries" | "state-timeline"))
        && panel["options"]["legend"]["showLegend"] != true
    {
        faults.push("no legend".into());
    }
    if matches!(panel["type"].as_str(), Some("stat" | "bargauge"))
        && is_empty(&panel["options"]["reduceOptions"]["calcs"])
    {
        faults.push("nothing says which of its figures is meant".into());
    }
    let targets = list(panel, "targets");
    if targets.is_empty() {
        faults.push("asks nothing".into());
    }
    let mut letters = BTreeSet::new();
    for target in targets {
        if !letters.insert(target["refId"].as_str()) {
            faults.push(format!("query {} stands twice", target["refId"]));
        }
        if is_empty(&target["legendFormat"]) {
            faults.push(format!("query {} has no legend", target["refId"]));
        }
        faults.extend(of_expr(&target["expr"]));
    }
    faults
}

/// An expression as Grafana sends it is PromQL, and its rates look over what a point stands for.
fn of_expr(expr: &Value) -> Vec<String> {
    let Some(text) = expr.as_str().filter(|text| !text.is_empty()) else { return vec!["no query".into()] };
    let mut faults = Vec::new();
    if let Err(error) = promql_parser::parser::parse(&substituted(text)) {
        faults.push(format!("{text}: {error}"));
    }
    for rate in ["rate(", "irate("] {
        let windows = text.split(rate).skip(1).filter_map(|rest| rest.split_once('[')).map(|(_, rest)| rest);
        if !windows.into_iter().all(|window| window.starts_with("$__rate_interval]")) {
            faults.push(format!("{text}: a rate over a window of its own"));
        }
    }
    if !text.contains(r#"fleet=~"$fleet""#) {
        faults.push(format!("{text}: shows fleets that were not chosen"));
    }
    faults
}

/// As Grafana would write it with everything chosen.
pub(super) fn substituted(text: &str) -> String {
    let windows =
        text.replace("$__rate_interval", "1m").replace("$__range", "6h").replace("$__interval", "15s");
    ["$fleet", "$dc", "$node"].iter().fold(windows, |text, name| text.replace(name, ".*"))
}

/// Names of variables in a text, but for those that Grafana itself has.
fn used_variables(text: &str) -> Vec<String> {
    let name = |rest: &str| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect::<String>()
    };
    let names = text.split('$').skip(1).map(name);
    names.filter(|name| !name.is_empty() && !name.starts_with("__")).collect()
}

/// Every text in it, with its path.
fn texts(value: &Value) -> Vec<(String, &str)> {
    let under = |key: String, value| {
        texts(value).into_iter().map(move |(path, text): (String, _)| (format!("/{key}{path}"), text))
    };
    match value {
        Value::String(text) => vec![(String::new(), text)],
        Value::Array(values) => {
            values.iter().enumerate().flat_map(|(place, value)| under(place.to_string(), value)).collect()
        }
        Value::Object(fields) => fields.iter().flat_map(|(name, value)| under(name.clone(), value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn variables(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["templating"], "list").iter()
}

fn overlap(one: &Value, other: &Value) -> bool {
    let ([x, y, width, height], [left, top, wide, high]) = (place_of(one), place_of(other));
    x < left + wide && left < x + width && y < top + high && top < y + height
}

fn place_of(panel: &Value) -> [u64; 4] {
    ["x", "y", "w", "h"].map(|field| panel["gridPos"][field].as_u64().unwrap_or_default())
}

fn title(panel: &Value) -> &str {
    panel["title"].as_str().unwrap_or("a panel without a title")
}

pub(super) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
