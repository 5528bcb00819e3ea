//! `[fleet.consul]`.

use std::collections::BTreeMap;

use super::desk::Defaults;
use super::wish::{Wish, Wishes};
use super::{absolute, host_and_port, plain_name};
use crate::inventory::Consul;
use crate::inventory::form::{Form, remedy_among};
use crate::profile::Speech;

pub(super) fn read(
    form: Form<'_>,
    defaults: &Defaults,
    wishes: &Wishes,
    speech: Option<&Speech>,
) -> Option<Consul> {
    let server = host_and_port(&form, "server");
    if form.has("token") {
        let remedy = "put it into a file that only Prometheus may read, and write token_file = \"/path\"";
        let value = form.value("token");
        form.paper.refuse(
            value.map_or(form.span.clone(), toml::Spanned::span),
            "a secret stands in the file",
            remedy,
        );
    }
    let token_file = form.text("token_file").and_then(|path| absolute(&form, &path));
    let (services, tags) = (form.texts("services"), form.texts("tags"));
    if services.is_empty() && tags.is_empty() {
        let what = "[fleet.consul] takes every service that Consul knows";
        form.refuse(
            what,
            "name services = [\"nim-waku\"] or tags = [\"env:waku\", \"stage:test\", \"metrics\"]",
        );
    }
    let plain = |texts: &[toml::Spanned<&str>]| texts.iter().map(|text| text.get_ref().to_string()).collect();
    let consul = Consul {
        server: server.unwrap_or_else(|| "127.0.0.1:8500".into()),
        scheme: scheme(&form),
        datacenter: plain_name(&form, "datacenter"),
        token_file,
        services: plain(&services),
        tags: plain(&tags),
        role: plain_name(&form, "role").unwrap_or_else(|| defaults.role()),
        dc: plain_name(&form, "dc").or_else(|| defaults.dc.clone()),
        ports: ports(&form, wishes, speech),
    };
    form.finish();
    Some(consul)
}

fn scheme(form: &Form<'_>) -> String {
    let Some(scheme) = form.text("scheme") else { return "http".into() };
    if !["http", "https"].contains(scheme.get_ref()) {
        let what = format!("{:?} is no scheme", scheme.get_ref());
        form.paper.refuse(scheme.span(), what, "write \"http\" or \"https\"");
    }
    scheme.get_ref().to_string()
}

/// Where each endpoint answers on a service's address.
fn ports(form: &Form<'_>, wishes: &Wishes, speech: Option<&Speech>) -> BTreeMap<String, Option<u16>> {
    let service = form.text("service_endpoint");
    let Some(speech) = speech else { return BTreeMap::new() };
    if let Some(service) = &service
        && !speech.endpoints.contains_key(*service.get_ref())
    {
        let remedy = remedy_among(service.get_ref(), speech.endpoints.keys().map(String::as_str));
        form.paper.refuse(service.span(), format!("no endpoint {:?}", service.get_ref()), remedy);
    }
    let is_service = |name: &str| service.as_ref().is_some_and(|service| *service.get_ref() == name);
    let mut ports = BTreeMap::new();
    for (name, endpoint) in &speech.endpoints {
        let port = match wishes.get(name).unwrap_or(&Wish::Is(endpoint.is_default)) {
            _ if is_service(name) => None,
            Wish::Is(false) => continue,
            Wish::Is(true) => Some(endpoint.port),
            Wish::Port(port) => Some(*port),
            Wish::Address(address) => {
                let what = format!("endpoint `{name}` of all nodes that Consul knows is at {address}");
                form.refuse(what, "name its port alone in [fleet.endpoints]");
                continue;
            }
        };
        ports.insert(name.clone(), port);
    }
    ports
}
