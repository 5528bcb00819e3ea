//! A fleet's nodes: by hand, in a table of names and addresses, or in a file of their own.

use toml::Spanned;

use super::desk::{Defaults, Desk};
use super::wish::Wishes;
use super::{Reader, Seen, registry};
use crate::inventory::form::{Form, Paper};
use crate::inventory::{Node, file};
use crate::problem::Source;
use crate::profile::Speech;

impl Reader {
    pub(super) fn nodes(
        &self,
        form: &Form<'_>,
        defaults: &Defaults,
        wishes: &Wishes,
        speech: &Speech,
        seen: &mut Seen,
    ) -> Vec<Node> {
        let mut desk = Desk::new(defaults, wishes, speech, seen);
        let mut nodes = desk.nodes(form, "node", "[[fleet.node]]", "nodes", "[fleet.nodes]");
        for path in form.texts("nodes_file") {
            nodes.extend(self.nodes_of_file(form.paper, &path, &mut desk));
        }
        nodes
    }

    fn nodes_of_file(&self, paper: Paper<'_>, path: &Spanned<&str>, desk: &mut Desk<'_>) -> Vec<Node> {
        let place = self.folder.join(path.get_ref());
        let shown = place.display().to_string();
        let text = match file::text(&place) {
            Ok(text) => text,
            Err((what, remedy)) => {
                paper.refuse(path.span(), format!("{shown} {what}"), remedy);
                return Vec::new();
            }
        };
        let own = Paper { source: Source { name: &shown, text: &text }, log: paper.log };
        if shown.to_ascii_lowercase().ends_with(".json") {
            return registry::nodes(own, desk);
        }
        let Some(table) = own.table() else { return Vec::new() };
        let form = Form::new(own, "the file of nodes", table.get_ref(), 0..0);
        let nodes = desk.nodes(&form, "node", "[[node]]", "nodes", "[nodes]");
        if !form.has_some("node") && !form.has_some("nodes") {
            form.refuse("no nodes", "write [nodes] and lines such as \"node-01\" = \"10.1.0.1\"");
        }
        form.finish();
        nodes
    }
}
