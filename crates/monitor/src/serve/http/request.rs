//! The head of a request, whatever a stranger makes of it.

/// Longest head.
pub(super) const HEAD_BYTES_MAX: usize = 8 * 1024;
const HEADERS_MAX: usize = 64;

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The path, without what follows a question mark.
    pub path: String,
    /// Whether the head of the answer is all that is wanted.
    pub is_head: bool,
    /// The values of `Accept`, joined.
    pub accept: String,
    /// The values of `Accept-Encoding`, joined.
    pub accept_encoding: String,
    /// Whether another request may follow.
    pub keeps_alive: bool,
}

/// What some bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The start of a head.
    Partial,
    /// A head, and how many bytes it takes.
    Whole(Request, usize),
    /// None that is answered: status, and a sentence.
    Refused(u16, &'static str),
}

/// Reads a head; `is_host` says whether a client may call us so.
pub fn parse(bytes: &[u8], is_host: impl Fn(&str) -> bool) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Parsed::Partial,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Parsed::Refused(431, "the request's head is too large");
        }
        Err(_) => return Parsed::Refused(400, "this is no HTTP request"),
    };
    match read(&head, is_host) {
        Ok(request) => Parsed::Whole(request, length),
        Err((status, why)) => Parsed::Refused(status, why),
    }
}

fn read(
    head: &httparse::Request<'_, '_>,
    is_host: impl Fn(&str) -> bool,
) -> Result<Request, (u16, &'static str)> {
    let all = |name: &str| {
        let named = head.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| std::str::from_utf8(header.value).unwrap_or_default().trim()).collect::<Vec<_>>()
    };
    let is_1_1 = head.version == Some(1);
    let (authority, path) =
        target(head.path.unwrap_or_default()).ok_or((400, "the request names no path"))?;
    let hosts = all("Host");
    if hosts.len() > 1 || (hosts.is_empty() && is_1_1) {
        return Err((400, "a request has one Host"));
    }
    if authority.or_else(|| hosts.first().copied()).is_some_and(|host| !is_host(host)) {
        return Err((
            421,
            "this host name is none of ours: ask by address, or list it in LIFEBOAT_METRICS_HOSTS",
        ));
    }
    let is_head = match head.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Err((405, "only GET and HEAD are answered")),
    };
    let connection = all("Connection").join(",").to_ascii_lowercase();
    let says = |word: &str| connection.split(',').any(|option| option.trim() == word);
    // Nobody reads a body here: what follows it would be taken for a request.
    let has_body =
        !all("Transfer-Encoding").is_empty() || all("Content-Length").iter().any(|length| *length != "0");
    let keeps_alive = !has_body && !says("close") && (is_1_1 || says("keep-alive"));
    Ok(Request {
        path: path.split(['?', '#']).next().unwrap_or_default().into(),
        is_head,
        accept: all("Accept").join(","),
        accept_encoding: all("Accept-Encoding").join(","),
        keeps_alive,
    })
}

/// Authority, where it is named, and path of a request's target.
fn target(target: &str) -> Option<(Option<&str>, &str)> {
    if target.starts_with('/') {
        return Some((None, target));
    }
    let rest = target.strip_prefix("http://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(at)?;
    Some((Some(authority), if path.is_empty() { "/" } else { path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> u16 {
        match parse(head.as_bytes(), |host| host == "a") {
            Parsed::Partial => 0,
            Parsed::Whole(..) => 200,
            Parsed::Refused(status, _) => status,
        }
    }

    #[test]
    fn a_head_is_read() {
        let head = b"GET /metrics?a=b HTTP/1.1\r\nhost: a\r\nAccept: x\r\naccept: y\r\n\r\nGET /next";
        let Parsed::Whole(request, length) = parse(head, |host| host == "a") else { panic!() };
        assert_eq!((request.path.as_str(), request.accept.as_str()), ("/metrics", "x,y"));
        assert!(request.keeps_alive && !request.is_head);
        assert_eq!(&head[length..], b"GET /next");
    }

    #[test]
    fn heads_are_refused_with_the_right_status() {
        for (head, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 200),
            ("HEAD / HTTP/1.0\r\n\r\n".into(), 200),
            ("GET http://a/metrics HTTP/1.1\r\nHost: b\r\n\r\n".into(), 200),
            ("GET http://b/metrics HTTP/1.1\r\nHost: a\r\n\r\n".into(), 421),
            ("GET / HTTP/1.1\r\nHost: evil\r\n\r\n".into(), 421),
            ("GET / HTTP/1.1\r\n\r\n".into(), 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".into(), 400),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n".into(), 405),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n".into(), 400),
            ("GET / HTTP/1.1\r\nHo".into(), 0),
            ("\x16\x03\x01\x02".into(), 400),
            (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(HEAD_BYTES_MAX)), 431),
            (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "b: c\r\n".repeat(HEADERS_MAX)), 431),
        ] {
            assert_eq!(status(&head), expected, "{head}");
        }
    }

    #[test]
    fn a_connection_is_kept_where_both_sides_know_how() {
        for (head, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ] {
            let Parsed::Whole(request, _) = parse(head.as_bytes(), |_| true) else { panic!("{head}") };
            assert_eq!(request.keeps_alive, expected, "{head}");
        }
    }
}
