//! One panel: what it asks, how it is drawn, and who watches it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{provisioning, query, thresholds, watched};
use crate::catalogue::{Dashboard, Panel, PanelKind, PanelQuery};
use crate::inventory::Inventory;
use crate::render::Options;
use crate::render::expression::accelerated;

/// A query that some fleet can answer, with its letter.
struct Asked<'a> {
    letter: String,
    expr: String,
    query: &'a PanelQuery,
}

/// The panel without its place, unless no fleet has what it needs.
pub(super) fn of(
    panel: &Panel,
    on: &Dashboard,
    inventory: &Inventory,
    options: Options,
) -> Result<Option<Value>, String> {
    let refused = |error: String| format!("panel {}/{}: {error}", on.id, panel.id);
    if !inventory.fleets.iter().any(|fleet| query::has_all(fleet, &panel.needs)) {
        return Ok(None);
    }
    let mut asked = Vec::new();
    for query in &panel.queries {
        let ways = [&query.expr].into_iter().chain(&query.otherwise);
        if let Some(expr) = query::of_fleets(ways, inventory).map_err(refused)? {
            let expr = match &query.over {
                Some(over) => query::around(over, &expr).map_err(refused)?,
                None => expr,
            };
            let expr = accelerated(&expr, options.accelerate);
            asked.push(Asked { letter: letter(asked.len()), expr, query });
        }
    }
    if asked.is_empty() {
        return Ok(None);
    }
    let mut targets: Vec<Value> =
        asked.iter().map(|one| target(panel.kind, &one.letter, &one.expr, &one.query.legend)).collect();
    let mut overrides: Vec<Value> = asked.iter().flat_map(|one| overrides(panel, one)).collect();
    if panel.kind == PanelKind::Timeseries {
        for (expr, legend) in thresholds::lines(panel, inventory).map_err(refused)? {
            let letter = letter(targets.len());
            targets.push(target(panel.kind, &letter, &expr, &legend));
            overrides.push(of_query(&letter, dashed()));
        }
    }
    if panel.kind == PanelKind::Table {
        overrides.push(json!({
            "matcher": { "id": "byName", "options": "node" },
            "properties": [{ "id": "links", "value": [to_node("${__value.text}", "${__data.fields.fleet}")] }],
        }));
    }
    let alerts = watched::by(on, panel, inventory);
    let mut json = json!({
        "id": panel.number(),
        "type": grafana_type(panel.kind),
        "title": panel.title,
        "description": format!("{}{}", panel.description.trim(), watched::sentence(&alerts, inventory)),
        "datasource": provisioning::chosen(),
        "links": watched::links(&alerts, inventory),
        "targets": targets,
        "fieldConfig": { "defaults": defaults(panel, on, inventory).map_err(refused)?, "overrides": overrides },
        "options": look(panel),
    });
    if panel.kind == PanelKind::Table
        && let Some(fields) = json.as_object_mut()
    {
        fields.insert("transformations".into(), columns(&asked));
    }
    Ok(Some(json))
}

fn letter(place: usize) -> String {
    u8::try_from(place)
        .map_or_else(|_| "Z".into(), |place| char::from(b'A'.saturating_add(place)).to_string())
}

const fn grafana_type(kind: PanelKind) -> &'static str {
    match kind {
        PanelKind::Timeseries => "timeseries",
        PanelKind::Stat => "stat",
        PanelKind::Table => "table",
        PanelKind::Bargauge => "bargauge",
        PanelKind::StateTimeline => "state-timeline",
    }
}

/// What shows the present asks for the present: the last figure of a node that is gone is no figure.
const fn is_of_now(kind: PanelKind) -> bool {
    matches!(kind, PanelKind::Stat | PanelKind::Table | PanelKind::Bargauge)
}

fn target(kind: PanelKind, letter: &str, expr: &str, legend: &str) -> Value {
    let is_instant = is_of_now(kind);
    json!({
        "refId": letter,
        "datasource": provisioning::chosen(),
        "expr": expr,
        "editorMode": "code",
        "format": if kind == PanelKind::Table { "table" } else { "time_series" },
        "legendFormat": legend,
        "instant": is_instant,
        "range": !is_instant,
    })
}

fn defaults(panel: &Panel, on: &Dashboard, inventory: &Inventory) -> Result<Value, String> {
    let is_drawn = panel.kind == PanelKind::Timeseries;
    let well = if is_drawn { "transparent" } else { "green" };
    let steps = thresholds::steps(panel, inventory, well)?;
    let colour = match panel.kind {
        PanelKind::Timeseries => "palette-classic",
        PanelKind::Stat | PanelKind::Table | PanelKind::Bargauge | PanelKind::StateTimeline => "thresholds",
    };
    let mut fields = json!({
        "unit": panel.unit,
        "color": { "mode": colour },
        "custom": custom(panel, steps.len() > 1),
        "mappings": mappings(&panel.states),
        "thresholds": { "mode": "absolute", "steps": steps },
    });
    let of_nodes = panel.queries.iter().all(|query| query.legend.contains("{{node}}"));
    let figures = [("min", panel.min), ("max", panel.max), ("decimals", panel.decimals.map(f64::from))];
    if let Some(fields) = fields.as_object_mut() {
        for (name, figure) in figures {
            fields.extend(figure.map(|figure| (name.to_owned(), json!(figure))));
        }
        if of_nodes && on.id != "node" {
            let link = to_node("${__field.labels.node}", "${__field.labels.fleet}");
            fields.insert("links".into(), json!([link]));
        }
    }
    Ok(fields)
}

/// The dashboard of the node that is pointed at.
fn to_node(node: &str, fleet: &str) -> Value {
    let chosen = format!("var-datasource=${{datasource}}&var-fleet={fleet}&var-node={node}");
    json!({ "title": "This node", "url": format!("/d/lifeboat-node?{chosen}&${{__url_time_range}}") })
}

fn custom(panel: &Panel, has_lines: bool) -> Value {
    match panel.kind {
        PanelKind::Timeseries => json!({
            "drawStyle": if panel.is_bars { "bars" } else { "line" },
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "fillOpacity": if panel.is_bars { 80 } else if panel.is_stacked { 40 } else { 6 },
            "showPoints": "auto",
            "pointSize": 4,
            // A gap is a gap: the node was not there.
            "spanNulls": false,
            "stacking": { "mode": if panel.is_stacked { "normal" } else { "none" }, "group": "A" },
            "thresholdsStyle": { "mode": if has_lines { "dashed" } else { "off" } },
        }),
        PanelKind::StateTimeline => json!({ "fillOpacity": 80, "lineWidth": 0 }),
        PanelKind::Table => json!({ "align": "auto", "filterable": true, "cellOptions": { "type": "auto" } }),
        PanelKind::Stat | PanelKind::Bargauge => json!({}),
    }
}

fn mappings(states: &BTreeMap<String, [String; 2]>) -> Value {
    let named = states.iter().enumerate().map(|(index, (value, [text, color]))| {
        (value.clone(), json!({ "text": text, "color": color, "index": index }))
    });
    let options: serde_json::Map<String, Value> = named.collect();
    if options.is_empty() { json!([]) } else { json!([{ "type": "value", "options": options }]) }
}

fn look(panel: &Panel) -> Value {
    let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    let tooltip = json!({ "mode": "multi", "sort": "desc" });
    match panel.kind {
        PanelKind::Timeseries => json!({
            "legend": {
                "showLegend": true,
                "displayMode": "table",
                "placement": "bottom",
                "calcs": ["lastNotNull", "max"],
            },
            "tooltip": tooltip,
        }),
        PanelKind::StateTimeline => json!({
            "legend": { "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] },
            "mergeValues": true,
            "showValue": "never",
            "rowHeight": 0.8,
            "tooltip": tooltip,
        }),
        PanelKind::Stat => json!({
            "colorMode": if panel.states.is_empty() { "value" } else { "background" },
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "auto",
            "reduceOptions": reduce,
        }),
        PanelKind::Bargauge => json!({
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": true,
            "valueMode": "color",
            "reduceOptions": reduce,
        }),
        PanelKind::Table => {
            let sort = panel.sort.iter().map(|column| json!({ "displayName": column, "desc": true }));
            json!({ "showHeader": true, "cellHeight": "sm", "sortBy": sort.collect::<Vec<_>>() })
        }
    }
}

/// What one query has of its own.
fn overrides(panel: &Panel, asked: &Asked<'_>) -> Vec<Value> {
    let query = asked.query;
    let mut properties = Vec::new();
    let mut is = |id: &str, value: Value| properties.push(json!({ "id": id, "value": value }));
    if let Some(unit) = &query.unit {
        is("unit", json!(unit));
        if panel.kind == PanelKind::Timeseries {
            is("custom.axisPlacement", json!("right"));
            // The panel's thresholds are figures of its own axis.
            is("custom.thresholdsStyle", json!({ "mode": "off" }));
        }
    }
    if query.is_below {
        is("custom.transform", json!("negative-Y"));
    }
    if let Some(from) = query.bad_from {
        let steps = json!([{ "color": "green", "value": null }, { "color": "red", "value": from }]);
        is("thresholds", json!({ "mode": "absolute", "steps": steps }));
    }
    if !query.states.is_empty() {
        is("mappings", mappings(&query.states));
        is("custom.cellOptions", json!({ "type": "color-text" }));
    }
    if properties.is_empty() {
        return Vec::new();
    }
    let of = if panel.kind == PanelKind::Table {
        json!({ "matcher": { "id": "byName", "options": query.legend }, "properties": properties })
    } else {
        of_query(&asked.letter, Value::from(properties))
    };
    vec![of]
}

fn of_query(letter: &str, properties: Value) -> Value {
    json!({ "matcher": { "id": "byFrameRefID", "options": letter }, "properties": properties })
}

/// How a fleet's own limit is drawn.
fn dashed() -> Value {
    json!([
        { "id": "custom.lineStyle", "value": { "fill": "dash", "dash": [8, 6] } },
        { "id": "custom.fillOpacity", "value": 0 },
        { "id": "custom.stacking", "value": { "mode": "none", "group": "A" } },
        { "id": "color", "value": { "mode": "fixed", "fixedColor": "red" } },
    ])
}

/// One line for each node, with the queries as columns.
fn columns(asked: &[Asked<'_>]) -> Value {
    let mut names = serde_json::Map::new();
    for (place, one) in asked.iter().enumerate() {
        // A single query's column bears no letter.
        if place == 0 {
            names.insert("Value".into(), json!(one.query.legend));
        }
        names.insert(format!("Value #{}", one.letter), json!(one.query.legend));
    }
    json!([
        { "id": "merge", "options": {} },
        { "id": "organize", "options": { "excludeByName": { "Time": true }, "indexByName": {}, "renameByName": names } },
    ])
}
