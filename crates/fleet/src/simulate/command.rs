//! What simulated nodes can be told, a line each.

/// The words that there are.
pub const HELP: &str = "  set NODES SIGNAL NUMBER             a signal has this number
  ramp NODES SIGNAL FROM TO SECONDS   a signal goes from one number to another
  absent NODES SIGNAL                 a signal's metrics are gone
  clear NODES [SIGNAL]                a signal is well again, or all of them
  label NODES LABEL VALUE             metrics that have this label have it with this value
  down NODES [ENDPOINT]               connections are refused, by one endpoint or by all
  hang NODES [ENDPOINT]               connections are taken, and nothing is answered
  up NODES [ENDPOINT]                 the endpoint answers again
  restart NODES                       another process: what the node itself counts begins anew
  sick NODES ALERT [SECONDS]          whatever makes this alert fire; a trend takes so long
  well NODES                          all of it is over
  tell [NODES]                        what the nodes show and count, as JSON, a line for each
  quit                                the fleet is gone
NODES is a node's name, FLEET/NAME, FLEET/* or *.
";

/// One thing to do to nodes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    /// Which nodes are meant.
    pub(super) nodes: String,
    pub(super) deed: Deed,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Deed {
    Set { signal: String, number: f64 },
    Ramp { signal: String, from: f64, to: f64, seconds: f64 },
    Absent { signal: String },
    Clear { signal: Option<String> },
    Label { name: String, value: String },
    Down { endpoint: Option<String> },
    Hang { endpoint: Option<String> },
    Up { endpoint: Option<String> },
    Restart,
    Sick { alert: String, seconds: Option<f64> },
    Well,
    Tell,
    Quit,
}

impl Command {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, and what it should be.
    pub(super) fn read(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (word, rest) = words.split_first().ok_or("say what to do")?;
        let (nodes, rest) = rest.split_first().map_or(("*", rest), |(nodes, rest)| (*nodes, rest));
        let known = HELP.lines().find(|known| known.split_whitespace().next() == Some(word));
        let Some(known) = known.filter(|known| known.starts_with("  ")) else {
            return Err(format!("no command {word:?}; there are:\n{HELP}"));
        };
        let usage = known.trim().split("  ").next().unwrap_or_default();
        let deed =
            if words.len() == 1 && !["tell", "quit"].contains(word) { None } else { deed(word, rest)? };
        let deed = deed.ok_or_else(|| format!("write it as: {usage}"))?;
        Ok(Self { nodes: nodes.into(), deed })
    }
}

fn deed(word: &str, rest: &[&str]) -> Result<Option<Deed>, String> {
    let one = || match rest {
        [] => Some(None),
        [name] => Some(Some((*name).to_owned())),
        _ => None,
    };
    Ok(match (word, rest) {
        ("set", [signal, value]) => Some(Deed::Set { signal: (*signal).into(), number: number(value)? }),
        ("ramp", [signal, from, to, seconds]) => {
            let [from, to, seconds] = [number(from)?, number(to)?, number(seconds)?];
            Some(Deed::Ramp { signal: (*signal).into(), from, to, seconds })
        }
        ("absent", [signal]) => Some(Deed::Absent { signal: (*signal).into() }),
        ("clear", _) => one().map(|signal| Deed::Clear { signal }),
        ("label", [name, value]) => Some(Deed::Label { name: (*name).into(), value: (*value).into() }),
        ("down", _) => one().map(|endpoint| Deed::Down { endpoint }),
        ("hang", _) => one().map(|endpoint| Deed::Hang { endpoint }),
        ("up", _) => one().map(|endpoint| Deed::Up { endpoint }),
        ("restart", []) => Some(Deed::Restart),
        ("sick", [alert]) => Some(Deed::Sick { alert: (*alert).into(), seconds: None }),
        ("sick", [alert, seconds]) => {
            Some(Deed::Sick { alert: (*alert).into(), seconds: Some(number(seconds)?) })
        }
        ("well", []) => Some(Deed::Well),
        ("tell", []) => Some(Deed::Tell),
        ("quit", []) => Some(Deed::Quit),
        _ => None,
    })
}

fn number(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if number.is_finite() { Ok(number) } else { Err(format!("{text:?} is no number of a metric")) }
}

#[cfg(test)]
mod tests {
    use super::{Command, Deed};

    fn read(line: &str) -> Command {
        Command::read(line).unwrap()
    }

    #[test]
    fn lines_are_read() {
        let set = Deed::Set { signal: "disk_available_ratio".into(), number: 0.02 };
        let command = read("set a.b disk_available_ratio 0.02");
        assert_eq!(command, Command { nodes: "a.b".into(), deed: set });
        assert_eq!(read(" sick  * NodeHung ").deed, Deed::Sick { alert: "NodeHung".into(), seconds: None });
        let slowly = Deed::Sick { alert: "FdLeak".into(), seconds: Some(60.0) };
        assert_eq!(read("sick n FdLeak 60").deed, slowly);
        assert_eq!(read("down f/*").deed, Deed::Down { endpoint: None });
        assert_eq!(read("hang n lifeboat").deed, Deed::Hang { endpoint: Some("lifeboat".into()) });
        assert_eq!(read("tell"), Command { nodes: "*".into(), deed: Deed::Tell });
        assert_eq!(read("tell n").nodes, "n");
        assert_eq!(read("quit").deed, Deed::Quit);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_remedy() {
        for (line, words) in [
            ("", "say what to do"),
            ("die n", "no command \"die\""),
            ("NODES", "no command"),
            ("set n peers", "write it as: set NODES SIGNAL NUMBER"),
            ("set n peers many", "\"many\" is no number"),
            ("set n peers inf", "\"inf\" is no number of a metric"),
            ("set n peers 1 2", "write it as: set NODES SIGNAL NUMBER"),
            ("down", "write it as: down NODES [ENDPOINT]"),
            ("down a b c", "write it as: down NODES [ENDPOINT]"),
            ("well a b", "write it as: well NODES"),
        ] {
            let error = Command::read(line).unwrap_err();
            assert!(error.contains(words), "{line:?}: {error}");
        }
    }
}
