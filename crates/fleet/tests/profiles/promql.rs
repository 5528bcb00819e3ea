//! What a query asks for: its selectors, each with what stands around it.

use lifeboat_fleet::profile::Signal;
use promql_parser::label::Labels;
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};

/// One selector of a query.
pub(crate) struct Selector {
    /// The metric.
    pub(crate) name: String,
    /// The labels that are matched, without those that choose nodes and job.
    pub(crate) matched: Vec<String>,
    /// The function that takes it, where it is a range.
    pub(crate) function: Option<String>,
    /// The labels of each aggregation around it, from outside.
    pub(crate) aggregations: Vec<Vec<String>>,
}

/// The selectors of a signal's query.
pub(crate) fn selectors(signal: &Signal) -> Vec<Selector> {
    let query = signal.promql("fleet=\"logos.test\"", "2m", "fleet, dc, node").unwrap();
    let expr = parser::parse(&query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut all = Vec::new();
    walk(&expr, None, &mut Vec::new(), &mut all);
    all
}

fn walk(expr: &Expr, function: Option<&str>, around: &mut Vec<Vec<String>>, all: &mut Vec<Selector>) {
    match expr {
        Expr::Aggregate(aggregate) => {
            let Some(LabelModifier::Include(Labels { labels })) = &aggregate.modifier else {
                panic!("an aggregation without `by`: {aggregate}");
            };
            around.push(labels.clone());
            walk(&aggregate.expr, None, around, all);
            around.pop();
        }
        Expr::Unary(unary) => walk(&unary.expr, function, around, all),
        Expr::Binary(binary) => {
            walk(&binary.lhs, function, around, all);
            walk(&binary.rhs, function, around, all);
        }
        Expr::Paren(paren) => walk(&paren.expr, function, around, all),
        Expr::Call(call) => {
            for argument in &call.args.args {
                walk(argument, Some(call.func.name), around, all);
            }
        }
        Expr::VectorSelector(selector) => all.push(selected(selector, None, around)),
        Expr::MatrixSelector(matrix) => all.push(selected(&matrix.vs, function, around)),
        Expr::Subquery(_) | Expr::Extension(_) => panic!("neither subqueries nor extensions: {expr}"),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => {}
    }
}

fn selected(selector: &VectorSelector, function: Option<&str>, around: &[Vec<String>]) -> Selector {
    let names = selector.matchers.matchers.iter().map(|matcher| matcher.name.clone());
    Selector {
        name: selector.name.clone().unwrap(),
        matched: names.filter(|name| !["job", "fleet"].contains(&name.as_str())).collect(),
        function: function.map(str::to_owned),
        aggregations: around.to_vec(),
    }
}
