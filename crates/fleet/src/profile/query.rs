//! What a signal's query asks, read as Prometheus reads it: what Prometheus would refuse, or what would tell of other nodes, is
//! told before it stands in a rule.

use std::collections::BTreeSet;

use promql_parser::parser::token::{T_BOTTOMK, T_LIMIT_RATIO, T_LIMITK, T_LOR, T_TOPK};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    self, AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector,
};

use super::{BY, Kind, Signal};
use crate::duration::Duration;

/// No query is longer. A query may be nested as deeply as it is long, and whoever reads it has a stack that ends.
const BYTES_MAX: usize = 2000;

/// Stands for the name of a fleet in what is only looked at.
const FLEET: &str = "FLEET";

/// What is wrong with a query, and what mends it.
pub(super) type Fault = (String, String);

/// A query that Prometheus takes, and that gives numbers.
pub(super) struct Query {
    expr: Expr,
}

impl Query {
    pub(super) fn read(name: &str, signal: &Signal) -> Result<Self, Fault> {
        if signal.query.len() > BYTES_MAX {
            let what = format!("query of `{name}` is longer than {BYTES_MAX} bytes");
            return Err((what, "make several signals of it".into()));
        }
        let select = format!("fleet=\"{FLEET}\"");
        let text = signal.promql(&select, "2m", BY).map_err(|error| {
            let what = format!("query of `{name}`: {}", error.replace('\n', ", "));
            (what, "it may hold ${select}, ${range} and ${by}".to_owned())
        })?;
        if let Some(written) = wrong_duration(&text) {
            let what = format!("query of `{name}`: {written:?} is no duration");
            return Err((what, "write it as 15s, 1m30s, 2h or 7d".into()));
        }
        // Alerts put it in brackets: a comment at its end would take the closing one along.
        let expr =
            parser::parse(&text).and_then(|_| parser::parse(&format!("({text})"))).map_err(|error| {
                let what = format!("query of `{name}` is no PromQL: {}", error.replace('\n', ", "));
                (what, format!("correct it until Prometheus takes {text}"))
            })?;
        if let Some(experiment) = experiment(&expr) {
            let what = format!("query of `{name}`: `{experiment}` is an experiment of Prometheus'");
            return Err((what, "use another: Prometheus refuses it unless it was started for that".into()));
        }
        let remedy = match expr.value_type() {
            ValueType::Vector => return Ok(Self { expr }),
            ValueType::Matrix => "put a function around the range, as rate(…) or max_over_time(…)",
            ValueType::Scalar | ValueType::String => "ask for a metric of the nodes, as metric{${select}}",
        };
        Err((format!("query of `{name}` gives no number for each node"), remedy.into()))
    }

    /// What is wrong with it for the nodes of one fleet among several.
    pub(super) fn faults(&self, name: &str, signal: &Signal) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut selectors = Vec::new();
        collect(&self.expr, false, &mut selectors);
        if !signal.query.contains("${select}") {
            let remedy =
                "write it among the matchers, as metric{${select}}: else it takes the series of all fleets";
            return vec![(format!("query of `{name}` has no ${{select}}"), remedy.into())];
        }
        for asked in selectors.iter().filter(|asked| !asked.is_of_fleet()) {
            let metric = asked.metric().unwrap_or("a metric");
            let what = format!("query of `{name}` asks for {metric} of all fleets");
            faults.push((what, "write ${select} among its matchers".to_owned()));
        }
        faults.extend(of_series(name, signal, &selectors));
        if let Some(label) = BY.split(", ").find(|label| !keeps(&self.expr, label)) {
            let what = format!("query of `{name}` loses the label `{label}`");
            let remedy = "aggregate by (${by}), which tells nodes apart: else no alert can name the node";
            faults.push((what, remedy.into()));
        }
        faults
    }
}

/// One selector of a query.
struct Selector<'a> {
    selector: &'a VectorSelector,
    /// Whether it is one of several that are joined by `or`: of old names and new ones a node has either.
    is_alternative: bool,
}

impl Selector<'_> {
    /// The metric, where it is one.
    fn metric(&self) -> Option<&str> {
        let matchers = || self.selector.matchers.matchers.iter();
        let by_matcher = || matchers().find(|matcher| matcher.name == "__name__" && is_equal(&matcher.op));
        self.selector.name.as_deref().or_else(|| by_matcher().map(|matcher| matcher.value.as_str()))
    }

    fn is_of_fleet(&self) -> bool {
        let is_chosen = |matcher: &promql_parser::label::Matcher| {
            matcher.name == "fleet" && matcher.value == FLEET && is_equal(&matcher.op)
        };
        self.selector.matchers.matchers.iter().any(is_chosen)
    }
}

fn is_equal(op: &promql_parser::label::MatchOp) -> bool {
    matches!(op, promql_parser::label::MatchOp::Equal)
}

/// Whether the query asks for what the series tell: else its tests and simulated nodes are of something else.
fn of_series(name: &str, signal: &Signal, selectors: &[Selector<'_>]) -> Option<Fault> {
    let told: BTreeSet<&str> = signal.series.iter().map(|series| series.name.as_str()).collect();
    let base = |metric: &str| {
        let is_histogram =
            |base: &str| signal.series.iter().any(|own| own.kind == Kind::Histogram && own.name == base);
        let of = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| metric.strip_suffix(end));
        of.filter(|base| is_histogram(base)).unwrap_or(metric).to_owned()
    };
    // Which metrics a pattern takes nobody knows.
    let names: Option<Vec<_>> = selectors.iter().map(|asked| Some((base(asked.metric()?), asked))).collect();
    let names = names?;
    let asked: BTreeSet<&str> = names.iter().map(|(metric, _)| metric.as_str()).collect();
    let untold =
        |(metric, asked): &&(String, &Selector<'_>)| !told.contains(metric.as_str()) && !asked.is_alternative;
    let untold: BTreeSet<&str> = names.iter().filter(untold).map(|(metric, _)| metric.as_str()).collect();
    let unasked: Vec<&str> = told.difference(&asked).copied().collect();
    let untold: Vec<&str> = untold.into_iter().collect();
    match (untold.as_slice(), unasked.as_slice()) {
        ([], []) => None,
        ([], unasked) => Some((
            format!("`series` of `{name}` tells {}, which its query does not ask for", unasked.join(", ")),
            format!(
                "write there what the query asks for: {}",
                asked.into_iter().collect::<Vec<_>>().join(", ")
            ),
        )),
        (untold, []) => Some((
            format!("query of `{name}` asks for {}, which its `series` does not tell", untold.join(", ")),
            format!("add {{ name = {:?}, kind = … }} to `series`", untold.first().unwrap_or(&"")),
        )),
        (untold, unasked) => Some((
            format!(
                "query of `{name}` asks for {}, and its `series` tells {}",
                untold.join(", "),
                unasked.join(", ")
            ),
            "write the name that the nodes have in both".into(),
        )),
    }
}

/// What stands as a range, a step or an offset and is no duration. Prometheus 3 takes a number of seconds there, 2 does not, and
/// the parser panics at one that is too large.
fn wrong_duration(query: &str) -> Option<String> {
    let bare = without_texts(query).to_ascii_lowercase();
    let ranges = bare.split('[').skip(1).filter_map(|rest| rest.split(']').next());
    let ranges = ranges.flat_map(|range| range.split(':')).map(str::trim);
    let is_in_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let offsets = bare.match_indices("offset").filter_map(|(at, word)| {
        let (before, after) = (bare.get(..at)?, bare.get(at + word.len()..)?);
        let is_word = !before.ends_with(is_in_name) && !after.starts_with(is_in_name);
        let from = after.trim_start_matches(|letter: char| letter.is_whitespace() || "+-".contains(letter));
        is_word.then(|| from.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.').next())?
    });
    let mut durations = ranges.chain(offsets).filter(|written| !written.is_empty());
    durations.find(|written| written.parse::<Duration>().is_err()).map(str::to_owned)
}

/// The query with a blank for each text in quotes and each comment.
fn without_texts(query: &str) -> String {
    let (mut bare, mut letters) = (String::with_capacity(query.len()), query.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '#' => {
                letters.find(|letter| *letter == '\n');
                bare.push(' ');
            }
            quote @ ('"' | '\'' | '`') => {
                while let Some(letter) = letters.next().filter(|letter| *letter != quote) {
                    if letter == '\\' && quote != '`' {
                        letters.next();
                    }
                }
                bare.push(' ');
            }
            other => bare.push(other),
        }
    }
    bare
}

fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Aggregate(aggregate) => {
            aggregate.param.iter().chain([&aggregate.expr]).map(|it| &**it).collect()
        }
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        Expr::Paren(paren) => vec![&paren.expr],
        Expr::Subquery(subquery) => vec![&subquery.expr],
        Expr::Call(call) => call.args.args.iter().map(|it| &**it).collect(),
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => Vec::new(),
    }
}

fn collect<'a>(expr: &'a Expr, is_alternative: bool, all: &mut Vec<Selector<'a>>) {
    let is_or = matches!(expr, Expr::Binary(binary) if binary.op.id() == T_LOR);
    match expr {
        Expr::VectorSelector(selector) => all.push(Selector { selector, is_alternative }),
        Expr::MatrixSelector(matrix) => all.push(Selector { selector: &matrix.vs, is_alternative }),
        other => {
            children(other).into_iter().for_each(|child| collect(child, is_alternative || is_or, all));
        }
    }
}

/// The function that Prometheus has only where it was started with `--enable-feature=promql-experimental-functions`.
fn experiment(expr: &Expr) -> Option<String> {
    let own = match expr {
        Expr::Call(call) if call.func.experimental => Some(call.func.name.to_owned()),
        Expr::Aggregate(aggregate) if [T_LIMITK, T_LIMIT_RATIO].contains(&aggregate.op.id()) => {
            Some(aggregate.op.to_string())
        }
        _ => None,
    };
    own.or_else(|| children(expr).into_iter().find_map(experiment))
}

/// Whether a label of the series is one of the result.
fn keeps(expr: &Expr, label: &str) -> bool {
    match expr {
        Expr::Aggregate(aggregate) => aggregate_keeps(aggregate, label),
        Expr::Unary(unary) => keeps(&unary.expr, label),
        Expr::Paren(paren) => keeps(&paren.expr, label),
        Expr::Subquery(subquery) => keeps(&subquery.expr, label),
        Expr::Binary(binary) => binary_keeps(binary, label),
        Expr::Call(call) => call_keeps(call, label),
        Expr::VectorSelector(_) | Expr::MatrixSelector(_) | Expr::Extension(_) => true,
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => false,
    }
}

fn aggregate_keeps(aggregate: &AggregateExpr, label: &str) -> bool {
    // Those choose among the series, and change none.
    let is_choice = [T_TOPK, T_BOTTOMK].contains(&aggregate.op.id());
    let is_named = |modifier: &LabelModifier| modifier.labels().labels.iter().any(|name| name == label);
    let is_left = match &aggregate.modifier {
        Some(by @ LabelModifier::Include(_)) => is_named(by),
        Some(without @ LabelModifier::Exclude(_)) => !is_named(without),
        None => false,
    };
    (is_choice || is_left) && keeps(&aggregate.expr, label)
}

/// See <https://prometheus.io/docs/prometheus/latest/querying/operators/#vector-matching>.
fn binary_keeps(binary: &BinaryExpr, label: &str) -> bool {
    let left = || keeps(&binary.lhs, label);
    let right = || keeps(&binary.rhs, label);
    if binary.lhs.value_type() == ValueType::Scalar {
        return right();
    }
    if binary.rhs.value_type() == ValueType::Scalar || binary.op.is_set_operator() {
        return left() && (binary.op.id() != T_LOR || right());
    }
    let Some(modifier) = &binary.modifier else { return left() };
    let is_named = |names: &LabelModifier| names.labels().labels.iter().any(|name| name == label);
    match (&modifier.card, &modifier.matching) {
        (VectorMatchCardinality::OneToMany(_), _) => right(),
        (VectorMatchCardinality::OneToOne, Some(on @ LabelModifier::Include(_))) => is_named(on) && left(),
        (VectorMatchCardinality::OneToOne, Some(without)) => !is_named(without) && left(),
        _ => left(),
    }
}

fn call_keeps(call: &Call, label: &str) -> bool {
    let is_of_series =
        |argument: &&Expr| matches!(argument.value_type(), ValueType::Vector | ValueType::Matrix);
    let is_anew = ["absent", "absent_over_time", "vector"].contains(&call.func.name);
    let series = call.args.args.iter().map(|it| &**it).find(is_of_series);
    !is_anew && series.is_some_and(|series| keeps(series, label))
}
