//! One dashboard: its head, its variables, what is marked on it, and where each panel stands.

use serde_json::{Value, json};

use super::{panel, provisioning, query};
use crate::catalogue::{Annotation, Dashboard, PanelKind, number_of};
use crate::inventory::Inventory;
use crate::render::Options;
use crate::render::expression::accelerated;

/// How wide the grid is.
const COLUMNS: u32 = 24;

/// Grafana 11 writes this version of the format; 12 and 13 take it and raise it as they load it.
const SCHEMA_VERSION: u32 = 39;

/// The dashboard, unless no fleet has a signal for any of its panels.
pub(super) fn of(
    dashboard: &Dashboard,
    inventory: &Inventory,
    options: Options,
) -> Result<Option<Value>, String> {
    let panels = panels(dashboard, inventory, options)?;
    if panels.is_empty() {
        return Ok(None);
    }
    Ok(Some(json!({
        "uid": format!("lifeboat-{}", dashboard.id),
        "title": format!("Lifeboat: {}", dashboard.title),
        "description": dashboard.description,
        "tags": ["lifeboat"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": { "from": format!("now-{}", dashboard.since), "to": "now" },
        "timepicker": {},
        "timezone": "browser",
        "fiscalYearStartMonth": 0,
        "links": [to_the_others()],
        "annotations": { "list": annotations(inventory, options)? },
        "templating": { "list": variables(inventory) },
        "panels": panels,
    })))
}

/// The other dashboards, with the choice that was made on this one.
fn to_the_others() -> Value {
    json!({
        "type": "dashboards",
        "title": "Lifeboat",
        "tags": ["lifeboat"],
        "asDropdown": false,
        "icon": "external link",
        "includeVars": true,
        "keepTime": true,
        "targetBlank": false,
        "tooltip": "",
        "url": "",
    })
}

fn variables(inventory: &Inventory) -> Vec<Value> {
    let uid = provisioning::prometheus_uid(&inventory.engines);
    let source = json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        // The one that the rules are evaluated by, where somebody has several; any other can be chosen.
        "current": { "selected": true, "text": uid, "value": uid },
        "options": [],
        "hide": 0,
        "includeAll": false,
        "multi": false,
        "refresh": 1,
        "regex": "",
        "skipUrlSync": false,
    });
    let of_nodes = |name: &str, label: &str, matchers: &str, all: &str| {
        // Nodes that only discovery knows answer; nodes that only the inventory knows are expected.
        let series = format!("{{__name__=~\"fleet:node_expected:info|up\"{matchers}}}");
        let values = format!("label_values({series}, {name})");
        json!({
            "name": name,
            "label": label,
            "type": "query",
            "datasource": provisioning::chosen(),
            "definition": values,
            "query": { "qryType": 1, "query": values, "refId": "PrometheusVariableQueryEditor-VariableQuery" },
            "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
            "options": [],
            "hide": 0,
            "allValue": all,
            "includeAll": true,
            "multi": true,
            "refresh": 2,
            "regex": "",
            "skipUrlSync": false,
            "sort": 1,
        })
    };
    vec![
        source,
        // What has no fleet is another's, where Prometheus has other work.
        of_nodes("fleet", "Fleet", "", ".+"),
        // Here all means series without the label too, such as alerts about a whole fleet.
        of_nodes("dc", "Data centre", r#",fleet=~"$fleet""#, ".*"),
        of_nodes("node", "Node", r#",fleet=~"$fleet",dc=~"$dc""#, ".*"),
    ]
}

fn annotations(inventory: &Inventory, options: Options) -> Result<Vec<Value>, String> {
    let mut list = Vec::new();
    for annotation in &inventory.catalogue.annotations {
        let refused = |error: String| format!("annotation {}: {error}", annotation.name);
        if let Some(expr) = query::of_fleets(&annotation.queries, inventory).map_err(refused)? {
            let expr = accelerated(&expr, options.accelerate);
            list.push(mark(annotation, &expr));
        }
    }
    Ok(list)
}

fn mark(annotation: &Annotation, expr: &str) -> Value {
    json!({
        "name": annotation.name,
        "datasource": provisioning::chosen(),
        "enable": true,
        "hide": false,
        "iconColor": annotation.color,
        "expr": expr,
        "target": { "expr": expr, "refId": "Annotation" },
        "titleFormat": annotation.title,
        "textFormat": annotation.text,
        "tagKeys": "fleet,node",
        // The value is the time of what happened: the mark stands there, and not at the next step.
        "useValueForTime": true,
    })
}

/// Rows with what stands in them, from left to right and from top to bottom.
fn panels(dashboard: &Dashboard, inventory: &Inventory, options: Options) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    let mut y = 0;
    for row in &dashboard.rows {
        let mut stand = Vec::new();
        let (mut x, mut top, mut below) = (0, y + 1, y + 1);
        for panel in &row.panels {
            let Some(mut json) = panel::of(panel, dashboard, inventory, options)? else { continue };
            let (width, height) = (panel.width.clamp(1, COLUMNS), height_of(panel.kind, panel.height));
            if x + width > COLUMNS {
                (x, top) = (0, below);
            }
            place(&mut json, [x, top, width, height]);
            x += width;
            below = below.max(top + height);
            stand.push(json);
        }
        if stand.is_empty() {
            continue;
        }
        let mut head = json!({
            "id": number_of(&format!("row {}", row.title)),
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "panels": [],
        });
        place(&mut head, [0, y, COLUMNS, 1]);
        all.push(head);
        all.append(&mut stand);
        y = below;
    }
    Ok(all)
}

fn place(panel: &mut Value, [x, y, w, h]: [u32; 4]) {
    if let Some(fields) = panel.as_object_mut() {
        fields.insert("gridPos".into(), json!({ "x": x, "y": y, "w": w, "h": h }));
    }
}

fn height_of(kind: PanelKind, wished: Option<u32>) -> u32 {
    wished.unwrap_or(match kind {
        PanelKind::Stat => 4,
        PanelKind::Timeseries | PanelKind::Table | PanelKind::Bargauge | PanelKind::StateTimeline => 8,
    })
}
