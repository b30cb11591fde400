//! The head of a request: request line and header fields (RFC 9112 sections 2 to 6).

use pavilion_catalogue::{Entry, edge, request};

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes, line ends included.
    pub bytes: usize,
    /// Header fields.
    pub fields: usize,
}

/// How the body after a head is framed (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Why a request goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code and status.
    pub entry: &'static Entry,
    /// What is wrong with it, in words that repeat nothing of it.
    pub detail: &'static str,
}

/// What the header fields say about framing and host.
#[derive(Default)]
struct Seen {
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
}

/// Checks a whole head, its final empty line included, and says how the body is framed.
pub fn check(head: &[u8], limits: HeadLimits) -> Result<Framing, Refusal> {
    if head.len() > limits.bytes {
        return Err(too_large());
    }
    let text = head
        .strip_suffix(b"\r\n\r\n")
        .ok_or(malformed("the head does not end with an empty line"))?;
    let mut lines = lines(text);
    let is_http11 = request_line(lines.next().unwrap_or_default())?;
    let mut seen = Seen::default();
    for (count, line) in lines.enumerate() {
        if count >= limits.fields {
            return Err(too_large());
        }
        field(line, &mut seen)?;
    }
    if seen.hosts != 1 {
        return Err(malformed("a request has exactly one Host field"));
    }
    framing(&seen, is_http11)
}

fn framing(seen: &Seen, is_http11: bool) -> Result<Framing, Refusal> {
    match (seen.chunked, seen.length) {
        (true, Some(_)) => Err(malformed("both Content-Length and Transfer-Encoding")),
        (true, None) if !is_http11 => Err(malformed("HTTP/1.0 has no Transfer-Encoding")),
        (true, None) => Ok(Framing::Chunked),
        (false, Some(length)) if length > 0 => Ok(Framing::Length(length)),
        (false, _) => Ok(Framing::None),
    }
}

/// Splits at CRLF only; a CR or LF elsewhere stays in its line and is refused there.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.windows(2).position(|pair| pair == b"\r\n");
        rest = end.map(|end| &text[end + 2..]);
        Some(end.map_or(text, |end| &text[..end]))
    })
}

/// `method SP target SP version`; true for HTTP/1.1, false for HTTP/1.0.
fn request_line(line: &[u8]) -> Result<bool, Refusal> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("the request line has not three parts"));
    };
    if !is_token(method) {
        return Err(malformed("the method is not a token"));
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(malformed(
            "the request target has a character that needs encoding",
        ));
    }
    if method == b"CONNECT" {
        return Err(Refusal {
            entry: &request::METHOD_NOT_ALLOWED,
            detail: "this is not a proxy",
        });
    }
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        _ => Err(malformed("the version is not HTTP/1.1")),
    }
}

fn field(line: &[u8], seen: &mut Seen) -> Result<(), Refusal> {
    let colon = line
        .iter()
        .position(|&byte| byte == b':')
        .ok_or(malformed("a header field without a colon"))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    // Also refuses folded lines and a space before the colon.
    if !is_token(name) {
        return Err(malformed("a header field's name is not a token"));
    }
    if value
        .iter()
        .any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f)
    {
        return Err(malformed("a control character in a header field"));
    }
    let value = value.trim_ascii();
    if name.eq_ignore_ascii_case(b"host") {
        seen.hosts += 1;
    } else if name.eq_ignore_ascii_case(b"content-length") {
        if seen.length.is_some() {
            return Err(malformed("more than one Content-Length"));
        }
        seen.length = Some(length(value)?);
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        if seen.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(malformed("a Transfer-Encoding other than chunked"));
        }
        seen.chunked = true;
    }
    Ok(())
}

/// Digits only: no sign, no list, nothing beyond 64 bits.
fn length(value: &[u8]) -> Result<u64, Refusal> {
    let digits = std::str::from_utf8(value)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|text| text.parse().ok())
        .ok_or(malformed("the Content-Length is not a number"))
}

/// RFC 9110 section 5.6.2.
fn is_token(name: &[u8]) -> bool {
    let fits = |&byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.iter().all(fits)
}

pub(crate) const fn malformed(detail: &'static str) -> Refusal {
    Refusal {
        entry: &edge::REQUEST_MALFORMED,
        detail,
    }
}

pub(crate) const fn too_large() -> Refusal {
    Refusal {
        entry: &edge::HEADERS_TOO_LARGE,
        detail: "There are too many header fields, or they are too long.",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 1_000,
        fields: 5,
    };

    fn framing_of(head: &str) -> Result<Framing, &'static str> {
        check(head.as_bytes(), LIMITS).map_err(|refusal| refusal.entry.code)
    }

    #[test]
    fn ordinary_requests_pass_with_their_framing() {
        for (head, framing) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Framing::None),
            ("GET / HTTP/1.0\r\nhost: a\r\n\r\n", Framing::None),
            (
                "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n",
                Framing::Length(12),
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                Framing::None,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
                Framing::Chunked,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nX: \tb \u{fc}\r\n\r\n",
                Framing::None,
            ),
        ] {
            assert_eq!(framing_of(head), Ok(framing), "{head:?}");
        }
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        for middle in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 0x1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            " Transfer-Encoding: chunked\r\n",
            "X: a\r\n\tTransfer-Encoding: chunked\r\n",
            "X: a\nTransfer-Encoding: chunked\r\n",
            "X: a\rTransfer-Encoding: chunked\r\n",
            "X: a\0b\r\n",
            "Host: b\r\n",
            "no colon\r\n",
            ": empty\r\n",
        ] {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{middle}\r\n");
            assert_eq!(framing_of(&head), Err("request_malformed"), "{middle:?}");
        }
    }

    #[test]
    fn a_request_line_has_exactly_three_parts() {
        for line in [
            "GET /",
            "GET  / HTTP/1.1",
            "GET / a HTTP/1.1",
            "GET\t/ HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET / HTTP/2.0",
            "GET / http/1.1",
            "GET /\u{7f} HTTP/1.1",
            "GET /ä HTTP/1.1",
            "",
            "\r\nGET / HTTP/1.1",
        ] {
            let head = format!("{line}\r\nHost: a\r\n\r\n");
            assert_eq!(framing_of(&head), Err("request_malformed"), "{line:?}");
        }
    }

    #[test]
    fn a_request_without_host_is_refused_in_either_version() {
        assert_eq!(
            framing_of("GET / HTTP/1.1\r\n\r\n"),
            Err("request_malformed")
        );
        assert_eq!(
            framing_of("GET / HTTP/1.0\r\nA: b\r\n\r\n"),
            Err("request_malformed")
        );
    }

    #[test]
    fn chunks_are_refused_in_http_1_0_and_connect_always() {
        let chunked = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(framing_of(chunked), Err("request_malformed"));
        let connect = "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(framing_of(connect), Err("method_not_allowed"));
    }

    #[test]
    fn a_head_over_a_limit_is_431() {
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(5));
        assert_eq!(framing_of(&many), Err("headers_too_large"));
        let long = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(1_000));
        assert_eq!(framing_of(&long), Err("headers_too_large"));
    }
}
