//! As much of HTTP as a scraper, an exporter and a person with curl need: one request, one answer, and the connection ends.

/// No request is longer.
pub(super) const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    /// Whether a page in a browser asks, which no page of ours does.
    pub(super) is_of_a_page: bool,
    pub(super) body: String,
}

/// What the bytes that came are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The beginning of a request.
    More,
    /// A whole one.
    Request(Request),
    /// None.
    Nonsense,
}

pub(super) fn hear(bytes: &[u8]) -> Heard {
    let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
        return if bytes.len() < REQUEST_BYTES_MAX { Heard::More } else { Heard::Nonsense };
    };
    let (head, rest) = bytes.split_at(at + 4);
    let Ok(head) = std::str::from_utf8(head) else { return Heard::Nonsense };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Heard::Nonsense;
    };
    if !version.starts_with("HTTP/1.") {
        return Heard::Nonsense;
    }
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let header = |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let length = header("content-length").map_or(Ok(0), |(_, value)| value.trim().parse::<usize>());
    let Some(length) = length.ok().filter(|length| *length <= REQUEST_BYTES_MAX) else {
        return Heard::Nonsense;
    };
    let Some(body) = rest.get(..length) else { return Heard::More };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Heard::Request(Request {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        is_of_a_page: header("origin").is_some(),
        body: String::from_utf8_lossy(body).into_owned(),
    })
}

impl Request {
    /// A word of the query, with its escapes undone.
    pub(super) fn asked(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| unescaped(value))
    }
}

pub(super) fn answer(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend(rest.bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Heard, Request, hear};

    #[test]
    fn a_request_is_heard_when_it_is_whole() {
        let whole = b"POST /probe?target=127.0.0.1%3A8008&module=tcp HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nwell";
        for end in 0..whole.len() {
            assert_eq!(hear(&whole[..end]), Heard::More, "{end}");
        }
        let Heard::Request(request) = hear(whole) else { panic!("no request") };
        assert_eq!((request.path.as_str(), request.body.as_str()), ("/probe", "well"));
        assert_eq!(request.asked("target").as_deref(), Some("127.0.0.1:8008"));
        assert_eq!(request.asked("other"), None);
        assert!(!request.is_of_a_page);
    }

    #[test]
    fn nonsense_is_refused() {
        let long = vec![b'a'; super::REQUEST_BYTES_MAX];
        let cases: [&[u8]; 5] = [
            b"\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET / SMTP\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
            &long,
        ];
        for case in cases {
            assert_eq!(hear(case), Heard::Nonsense, "{:?}", String::from_utf8_lossy(case));
        }
        let odd = Request {
            query: "a=%zz%4".into(),
            ..match hear(b"GET / HTTP/1.0\r\n\r\n") {
                Heard::Request(request) => request,
                _ => panic!("no request"),
            }
        };
        assert_eq!(odd.asked("a").as_deref(), Some("%zz%4"));
    }
}
