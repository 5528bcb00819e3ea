//! Which names the facade's names become.

use lifeboat_abi::MetricKind;

/// The base units of <https://prometheus.io/docs/practices/naming/>.
const UNITS: &[&str] =
    &["seconds", "bytes", "ratio", "celsius", "meters", "volts", "amperes", "joules", "grams"];

/// The name without unit and `_total`, which are added where it is exposed, and the unit.
pub(super) fn name_and_unit(kind: MetricKind, name: &str) -> (String, &'static str) {
    let mut name = allowed(name);
    let cut = |name: &str, end: &str| {
        let rest = name.strip_suffix(end)?.strip_suffix('_')?;
        (!rest.is_empty()).then_some(rest.len())
    };
    if kind == MetricKind::Counter
        && let Some(length) = cut(&name, "total")
    {
        name.truncate(length);
    }
    for unit in UNITS {
        if let Some(length) = cut(&name, unit) {
            name.truncate(length);
            return (name, unit);
        }
    }
    (name, "")
}

/// The text with `_` for what no name may hold.
pub(super) fn allowed(text: &str) -> String {
    let letters = text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
    let start = if text.starts_with(|letter: char| letter.is_ascii_digit()) { "_" } else { "" };
    start.chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus() {
        let cases = [
            (MetricKind::Counter, "http.requests", "http_requests", ""),
            (MetricKind::Counter, "http_requests_total", "http_requests", ""),
            (MetricKind::Counter, "sent_bytes_total", "sent", "bytes"),
            (MetricKind::Gauge, "open_total", "open_total", ""),
            (MetricKind::Histogram, "request-duration-seconds", "request_duration", "seconds"),
            (MetricKind::Gauge, "9 lives", "_9_lives", ""),
            (MetricKind::Gauge, "seconds", "seconds", ""),
            (MetricKind::Counter, "total", "total", ""),
            (MetricKind::Counter, "größe", "gr__e", ""),
        ];
        for (kind, given, name, unit) in cases {
            assert_eq!(name_and_unit(kind, given), (name.to_owned(), unit), "{given}");
        }
    }
}
