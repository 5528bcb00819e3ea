//! What each node of a fleet is read with: what it is unless it says otherwise, and what stands already.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use super::wish::{Wish, Wishes, of_endpoints};
use super::{Seen, name, plain_name, version};
use crate::inventory::form::{Form, Paper};
use crate::inventory::{Node, address};
use crate::profile::Speech;

/// What a node is unless it says otherwise.
pub(super) struct Defaults {
    pub(super) fleet: String,
    pub(super) role: Option<String>,
    pub(super) dc: Option<String>,
}

impl Defaults {
    pub(super) fn role(&self) -> String {
        self.role.clone().unwrap_or_else(|| "node".into())
    }

    /// The data centre: the second part of a name such as `node-01.do-ams3.waku.test`.
    fn dc(&self, node: &str) -> String {
        let place = || {
            let of_fleet = node.strip_suffix(self.fleet.as_str()).and_then(|rest| rest.strip_suffix('.'));
            let parts: Vec<&str> = node.split('.').collect();
            let (_, dc) = match of_fleet {
                Some(place) => place.split_once('.')?,
                None if parts.len() == 4 => (*parts.first()?, *parts.get(1)?),
                None => return None,
            };
            (!dc.is_empty() && !dc.contains('.')).then(|| dc.to_owned())
        };
        self.dc.clone().or_else(place).unwrap_or_else(|| "default".into())
    }
}

/// What the nodes of one fleet are read with.
pub(super) struct Desk<'a> {
    pub(super) defaults: &'a Defaults,
    pub(super) wishes: &'a Wishes,
    speech: &'a Speech,
    /// Names, to tell of one that stands twice.
    names: BTreeMap<String, ()>,
    seen: &'a mut Seen,
}

impl<'a> Desk<'a> {
    pub(super) const fn new(
        defaults: &'a Defaults,
        wishes: &'a Wishes,
        speech: &'a Speech,
        seen: &'a mut Seen,
    ) -> Self {
        Self { defaults, wishes, speech, names: BTreeMap::new(), seen }
    }

    /// Those of a list of tables, and of a table of names and addresses.
    pub(super) fn nodes(
        &mut self,
        form: &Form<'_>,
        list: &'static str,
        list_name: &'static str,
        table: &'static str,
        table_name: &'static str,
    ) -> Vec<Node> {
        let listed = form.tables(list, list_name).into_iter();
        let mut nodes: Vec<Node> = listed.filter_map(|form| self.node(form)).collect();
        let Some(form) = form.table(table, table_name) else { return nodes };
        for (name, value) in form.entries() {
            let wrong = address::wrong_name(name.get_ref());
            if let Some(remedy) = wrong {
                form.paper.refuse(name.span(), format!("{:?} is no name", name.get_ref()), remedy);
            }
            if let Some((rest, address)) = without_quotes(value) {
                let what =
                    format!("the name {:?} wants quotes round it", format!("{}.{rest}", name.get_ref()));
                let remedy = format!("write it as \"{}.{rest}\" = {address:?}", name.get_ref());
                form.paper.refuse(name.span(), what, remedy);
                continue;
            }
            let Some(address) = value.get_ref().as_str() else {
                let what = format!("the address of {:?} is no text", name.get_ref());
                form.paper.refuse(value.span(), what, "write it as \"10.1.0.1\"");
                continue;
            };
            let name = Spanned::new(name.span(), name.get_ref().to_string());
            let address = Spanned::new(value.span(), address);
            if wrong.is_some() {
                // Whoever mends the name need not come back for the address.
                let _ = host(form.paper, &address);
                continue;
            }
            nodes.extend(self.placed(form.paper, &name, &address, &BTreeMap::new()));
        }
        nodes
    }

    fn node(&mut self, form: Form<'_>) -> Option<Node> {
        let (name, address) = (name(&form, "name"), form.text("address"));
        for (key, example) in [("name", "\"node-01.do-ams3.logos.test\""), ("address", "\"10.1.0.1\"")] {
            if !form.has(key) {
                form.refuse_missing(key, example);
            }
        }
        let own = form.table("endpoints", "[fleet.node.endpoints]");
        let own = own.map(|form| of_endpoints(&form, Some(self.speech))).unwrap_or_default();
        let (role, dc) = (plain_name(&form, "role"), plain_name(&form, "dc"));
        let (version, owner) = (version(&form), plain_name(&form, "owner"));
        let paper = form.paper;
        form.finish();
        if let (None, Some(address)) = (&name, &address) {
            let _ = host(paper, address);
        }
        let node = self.placed(paper, &name?, &address?, &own)?;
        Some(Node { role: role.unwrap_or(node.role), dc: dc.unwrap_or(node.dc), version, owner, ..node })
    }

    /// A node of this name at this address.
    pub(super) fn placed(
        &mut self,
        paper: Paper<'_>,
        name: &Spanned<String>,
        place: &Spanned<&str>,
        own: &Wishes,
    ) -> Option<Node> {
        if self.names.insert(name.get_ref().clone(), ()).is_some() {
            let what = format!("node {:?} stands twice", name.get_ref());
            paper.refuse(name.span(), what, "give one of them another name");
        }
        let host = host(paper, place)?;
        let endpoints = self.endpoints(&host, own);
        for (endpoint, target) in &endpoints {
            if !self.is_own(endpoint) {
                continue;
            }
            let here = format!("{} of {}", name.get_ref(), self.defaults.fleet);
            let there = self.seen.targets.insert((endpoint.clone(), target.clone()), here);
            if let Some(there) = there {
                let what = format!("endpoint `{endpoint}` at {target} is that of {there}, too");
                paper.refuse(
                    place.span(),
                    what,
                    "correct the address, or give each its own port in its endpoints",
                );
            }
        }
        Some(Node {
            name: name.get_ref().clone(),
            address: host,
            role: self.defaults.role(),
            dc: self.defaults.dc(name.get_ref()),
            version: None,
            owner: None,
            endpoints,
        })
    }

    /// Whether each node has an endpoint of its own: not its machine's, nor its database's. What is asked from outside
    /// may be a door that several share.
    fn is_own(&self, name: &str) -> bool {
        let endpoint = self.speech.endpoints.get(name);
        !endpoint.is_some_and(|endpoint| endpoint.is_shared || endpoint.probe.is_some())
    }

    fn endpoints(&self, host: &str, own: &Wishes) -> BTreeMap<String, String> {
        let mut endpoints = BTreeMap::new();
        for (name, endpoint) in &self.speech.endpoints {
            let default = Wish::Is(endpoint.is_default);
            let wish = own.get(name).or_else(|| self.wishes.get(name)).unwrap_or(&default);
            match wish {
                Wish::Is(false) => continue,
                Wish::Is(true) => endpoints.insert(name.clone(), address::joined(host, endpoint.port)),
                Wish::Port(port) => endpoints.insert(name.clone(), address::joined(host, *port)),
                Wish::Address(address) => endpoints.insert(name.clone(), address.clone()),
            };
        }
        endpoints
    }
}

/// A node's address; what is wrong with it is told.
fn host(paper: Paper<'_>, place: &Spanned<&str>) -> Option<String> {
    let host = address::host(place.get_ref()).map_err(|remedy| {
        paper.refuse(place.span(), format!("{:?} is no node's address", place.get_ref()), remedy);
    });
    host.ok()
}

/// What TOML makes of `node-01.ams3.test = "10.1.0.1"`: a table in a table, with the rest of the first such name and its address.
fn without_quotes<'a>(value: &'a Spanned<DeValue<'a>>) -> Option<(String, &'a str)> {
    let mut parts = Vec::new();
    let mut value = value.get_ref();
    while let Some((name, inner)) = value.as_table().and_then(|table| table.iter().next()) {
        parts.push(name.get_ref().as_ref());
        value = inner.get_ref();
    }
    (!parts.is_empty()).then(|| value.as_str()).flatten().map(|address| (parts.join("."), address))
}
