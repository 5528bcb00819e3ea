//! The blackbox exporter's modules: how nodes are asked from outside.

use serde::Serialize;
use serde_json::{Value, json};

use super::tree::Tree;
use super::yaml;

#[derive(Serialize)]
struct Config {
    modules: Value,
}

pub(super) fn render(tree: &mut Tree) -> Result<(), String> {
    tree.add("blackbox/blackbox.yml", yaml::file(&Config { modules: modules() })?);
    Ok(())
}

/// What a profile may name as its probe.
pub(crate) fn module_names() -> Vec<String> {
    modules().as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Of the addresses that a name has, either will do: a host without IPv6 is asked by IPv4.
fn modules() -> Value {
    let either = json!({ "preferred_ip_protocol": "ip4", "ip_protocol_fallback": true });
    let with = |more: Value| {
        let mut all = either.clone();
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        all
    };
    // What a node answers with may not send the exporter elsewhere, nor fill it.
    let page = json!({ "follow_redirects": false, "body_size_limit": "1MB" });
    let page_with = |more: Value| {
        let mut all = page.clone();
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        with(all)
    };
    // Of an expired certificate, or one of a node's own making, the date is wanted all the same.
    let any_certificate = json!({ "tls_config": { "insecure_skip_verify": true } });
    // A node of logos-delivery answers 200 with whatever it has to say of itself.
    let is_ill = r#""nodeHealth":\s*"(NOT_READY|NOT_MOUNTED|SHUTTING_DOWN|EVENT_LOOP_LAGGING)""#;
    let health = page_with(json!({ "fail_if_body_matches_regexp": [is_ill] }));
    json!({
        "http_2xx": { "prober": "http", "timeout": "5s", "http": page_with(any_certificate.clone()) },
        "http_2xx_verified": { "prober": "http", "timeout": "5s", "http": page_with(json!({})) },
        "logos_delivery_health": { "prober": "http", "timeout": "5s", "http": health },
        "tcp_connect": { "prober": "tcp", "timeout": "5s", "tcp": with(json!({})) },
        "tcp_connect_tls": {
            "prober": "tcp",
            "timeout": "5s",
            "tcp": with(json!({ "tls": true, "tls_config": { "insecure_skip_verify": true } })),
        },
        "tcp_connect_tls_verified": { "prober": "tcp", "timeout": "5s", "tcp": with(json!({ "tls": true })) },
    })
}
