//! Which form of a page a client wants, by RFC 9110, section 12.

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Format {
    /// `text/plain; version=0.0.4`
    Text,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

impl Format {
    /// The media type of a page that is written so.
    pub(in crate::serve) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What `Accept` asks for. Who names neither gets the text that everybody can read.
    pub(in crate::serve) fn by(accept: &str) -> Self {
        let best = |fits: fn(&str, &str) -> bool| {
            let wanted = clauses(accept).filter(|clause| fits(&clause.value, &clause.version));
            wanted.map(|clause| clause.quality).fold(0.0, f64::max)
        };
        let open_metrics =
            best(|value, version| value == "application/openmetrics-text" && matches!(version, "" | "1.0.0"));
        let text = best(|value, version| {
            (value == "text/plain" && matches!(version, "" | "0.0.4")) || matches!(value, "text/*" | "*/*")
        });
        if open_metrics > 0.0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }
}

/// Whether the client can unpack gzip.
pub(in crate::serve) fn takes_gzip(accept_encoding: &str) -> bool {
    let quality =
        |name: &str| clauses(accept_encoding).find(|clause| clause.value == name).map(|it| it.quality);
    quality("gzip").or_else(|| quality("*")).is_some_and(|quality| quality > 0.0)
}

struct Clause {
    value: String,
    version: String,
    quality: f64,
}

/// `text/plain;version=0.0.4;q=0.5, */*;q=0.1`
fn clauses(header: &str) -> impl Iterator<Item = Clause> {
    header.split(',').map(|clause| {
        let mut parts = clause.split(';').map(str::trim);
        let value = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut version, mut quality) = (String::new(), 1.0);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "version" => version = value.trim().trim_matches('"').to_owned(),
                "q" => {
                    quality = value.trim().parse().ok().filter(|it| (0.0..=1.0).contains(it)).unwrap_or(0.0)
                }
                _ => {}
            }
        }
        Clause { value, version, quality }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_that_the_client_likes_best() {
        // As Prometheus 2.42 and 3.5 send it.
        const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                                    q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                                    application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;\
                                    escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, expected) in [
            (PROMETHEUS_2, Format::OpenMetrics),
            (PROMETHEUS_3, Format::OpenMetrics),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text; version=2.0.0, text/plain", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=0.3, text/plain;version=0.0.4;q=0.4", Format::Text),
            ("application/openmetrics-text;q=nan", Format::Text),
            ("application/json", Format::Text),
        ] {
            assert_eq!(Format::by(accept), expected, "{accept}");
        }
    }

    #[test]
    fn a_page_is_packed_for_who_can_unpack_it() {
        for (accept, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0, *", false),
        ] {
            assert_eq!(takes_gzip(accept), expected, "{accept}");
        }
    }
}
