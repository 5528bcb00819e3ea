//! Where endpoints answer, as an operator wishes it.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use crate::inventory::address;
use crate::inventory::form::{Form, Paper, integer, remedy_among};
use crate::profile::Speech;

/// Where an endpoint answers.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// At its own port, or not at all.
    Is(bool),
    /// At this port of the node.
    Port(u16),
    /// There.
    Address(String),
}

pub(super) type Wishes = BTreeMap<String, Wish>;

/// The wishes for endpoints that there are.
pub(super) fn of_endpoints(form: &Form<'_>, speech: Option<&Speech>) -> Wishes {
    let mut wishes = BTreeMap::new();
    // Whoever has no profile yet is told that first.
    let Some(speech) = speech else { return wishes };
    for (name, value) in form.entries() {
        if !speech.endpoints.contains_key(*name.get_ref()) {
            let remedy = remedy_among(name.get_ref(), speech.endpoints.keys().map(String::as_str));
            form.paper.refuse(name.span(), format!("no endpoint {:?}", name.get_ref()), remedy);
        } else if let Some(wish) = wish(form.paper, value) {
            wishes.insert(name.get_ref().to_string(), wish);
        }
    }
    wishes
}

/// `8008`, `"10.0.0.1:8008"`, `true` or `false`.
fn wish(paper: Paper<'_>, value: &Spanned<DeValue<'_>>) -> Option<Wish> {
    let refused = |remedy: &str| {
        paper.refuse(value.span(), "that is no place for an endpoint", remedy);
        None
    };
    match value.get_ref() {
        DeValue::Boolean(is) => Some(Wish::Is(*is)),
        DeValue::String(text) => match address::host_and_port(text) {
            Ok(address) => Some(Wish::Address(address)),
            Err(remedy) => refused(&remedy),
        },
        other => match integer(other).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0) {
            Some(port) => Some(Wish::Port(port)),
            None => refused("write a port from 1 to 65535, an address as \"10.1.0.1:8008\", true or false"),
        },
    }
}
