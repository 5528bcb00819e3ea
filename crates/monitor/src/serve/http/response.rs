//! An answer: status, a few headers, and a body that many clients may share.

use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

/// An answer.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Response {
    pub(in crate::serve) status: u16,
    pub(in crate::serve) content_type: String,
    /// More headers, each with its line's end.
    pub(in crate::serve) headers: String,
    pub(in crate::serve) body: Arc<[u8]>,
}

impl Response {
    /// A sentence.
    pub(in crate::serve) fn text(status: u16, text: &str) -> Self {
        let body = format!("{text}\n").into_bytes().into();
        Self { status, content_type: "text/plain; charset=utf-8".into(), headers: String::new(), body }
    }

    /// A document for machines.
    pub(in crate::serve) fn json(status: u16, document: &impl serde::Serialize) -> Self {
        let mut body = serde_json::to_vec(document).unwrap_or_default();
        body.push(b'\n');
        Self { status, content_type: "application/json".into(), headers: String::new(), body: body.into() }
    }

    /// The head, as it goes over the wire.
    pub(super) fn head(&self, keeps_alive: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let _ =
            write!(head, "Content-Type: {}\r\nContent-Length: {}\r\n", self.content_type, self.body.len());
        let _ = write!(head, "Date: {}\r\n", httpdate::fmt_http_date(SystemTime::now()));
        head.push_str("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
        head.push_str(&self.headers);
        if self.status == 405 {
            head.push_str("Allow: GET, HEAD\r\n");
        }
        // A client of HTTP/1.0 that asked for it is told; to one of HTTP/1.1 it goes without saying.
        head.push_str(if keeps_alive {
            "Connection: keep-alive\r\n\r\n"
        } else {
            "Connection: close\r\n\r\n"
        });
        head.into_bytes()
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "",
    }
}
