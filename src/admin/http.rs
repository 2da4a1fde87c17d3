//! As much of HTTP/1 as scrapers, probes and browsers need: a bounded request head in, an answer with its length out.
//!
//! Pure. Bodies of requests are not read: nothing here takes one, so such a connection is closed after its answer.

use crate::config::limits;
use bytes::Bytes;

/// A request's head, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub method: Method,
    /// Without the query.
    pub path: String,
    /// What is behind the question mark.
    pub query: String,
    /// Whether the connection may serve another request after this one.
    pub keep_alive: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Other,
}

/// What the bytes so far hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Parsed {
    /// More bytes are needed.
    Incomplete,
    /// A request whose head is `len` bytes long.
    Complete { request: Request, len: usize },
    /// No HTTP/1 request, or too large: answer with this and close.
    Refused(Status),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    /// The path takes POST alone.
    PostOnly,
    Conflict,
    RequestTimeout,
    HeadTooLarge,
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed | Status::PostOnly => "405 Method Not Allowed",
            Status::Conflict => "409 Conflict",
            Status::RequestTimeout => "408 Request Timeout",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::Unavailable => "503 Service Unavailable",
        }
    }
}

/// An answer, its body as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Response {
    pub status: Status,
    pub content_type: &'static str,
    pub body: String,
}

impl Response {
    /// A line of text.
    pub(super) fn text(status: Status, text: &str) -> Response {
        Response { status, content_type: "text/plain; charset=utf-8", body: format!("{text}\n") }
    }

    /// The status's own words.
    pub(super) fn of(status: Status) -> Response {
        Response::text(status, &status.line()[4..])
    }

    /// Head and body; `Head` requests get the head alone, with the length the body would have.
    pub(super) fn into_parts(self, method: Method, keep_alive: bool) -> [Bytes; 2] {
        let allow = match self.status {
            Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            Status::PostOnly => "Allow: POST\r\n",
            _ => "",
        };
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}Connection: {connection}\r\n\r\n",
            self.status.line(),
            self.content_type,
            self.body.len(),
        );
        let body = if method == Method::Head { Bytes::new() } else { Bytes::from(self.body) };
        [Bytes::from(head), body]
    }
}

/// Parses the head of the first request in `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; limits::ADMIN_REQUEST_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() < limits::ADMIN_REQUEST_HEAD_BYTES_MAX => return Parsed::Incomplete,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => return Parsed::Refused(Status::HeadTooLarge),
        Err(_) => return Parsed::Refused(Status::BadRequest),
    };
    if len > limits::ADMIN_REQUEST_HEAD_BYTES_MAX {
        return Parsed::Refused(Status::HeadTooLarge);
    }
    let method = match request.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        _ => Method::Other,
    };
    let target = request.path.unwrap_or_default();
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_string(), query.to_string());
    let keep_alive = keeps_alive(request.version, request.headers);
    Parsed::Complete { request: Request { method, path, query, keep_alive }, len }
}

/// HTTP/1.1 keeps a connection unless told otherwise, HTTP/1.0 closes it unless told otherwise.
fn keeps_alive(version: Option<u8>, headers: &[httparse::Header]) -> bool {
    let values =
        |name: &'static str| headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value);
    let has_body = values("transfer-encoding").next().is_some() || values("content-length").any(|length| length != b"0");
    let says = |word: &str| {
        let text = values("connection").filter_map(|value| std::str::from_utf8(value).ok());
        text.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    !has_body && !says("close") && (version == Some(1) || says("keep-alive"))
}
