//! What a key may sign. A key signs only messages of its purpose's form, so that a caller who was
//! taken over can misuse the signer for what it is for, and for nothing else.

use std::str;
use std::sync::OnceLock;

use pavilion_jose::from_base64url;
use pavilion_json::Limits;
use serde_json::Value;

use super::SignerError;

/// The largest message, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// `typ` of an answer.
const RESULT_TYPE: &str = "pvr+jwt";

/// The members a protected header may have. None of them changes what the signature covers
/// (`crit` and `b64` of RFC 7797 do) or brings a key of its own (`jwk`, `jku`, `x5c`, `x5u`).
const HEADER_MEMBERS: [&str; 4] = ["alg", "typ", "kid", "cty"];

/// A protected header is small.
const HEADER_LIMITS: Limits = Limits {
    bytes: 1_024,
    depth: 2,
    nodes: 16,
};

/// The protected header that answers by one key have: one text, again and again, so that it is
/// taken apart once.
#[derive(Debug, Default)]
pub(super) struct KnownHeader(OnceLock<String>);

/// Checks that `message` is the JWS signing input (RFC 7515 section 5.1) of an answer by key `kid`.
pub(super) fn check_result(
    message: &[u8],
    kid: &str,
    known: &KnownHeader,
) -> Result<(), SignerError> {
    let text = str::from_utf8(message).map_err(|_| not("a signing input is ASCII"))?;
    let (header, payload) = text
        .split_once('.')
        .ok_or(not("a signing input has two parts"))?;
    if known.0.get().is_none_or(|known| known != header) {
        check_header(header, kid)?;
        // One that was set meanwhile is as good.
        let _ = known.0.set(header.to_owned());
    }
    let payload = from_base64url(payload).map_err(|_| not("the payload is not base64url"))?;
    if payload.first() != Some(&b'{') {
        return Err(not("the payload is not a JSON object"));
    }
    Ok(())
}

fn check_header(header: &str, kid: &str) -> Result<(), SignerError> {
    let header = from_base64url(header).map_err(|_| not("the header is not base64url"))?;
    let header = pavilion_json::parse(&header, HEADER_LIMITS);
    let header = header.map_err(|_| not("the header is not strict JSON"))?;
    let members = header
        .as_object()
        .ok_or(not("the header is not a JSON object"))?;
    if members
        .keys()
        .any(|name| !HEADER_MEMBERS.contains(&name.as_str()))
    {
        return Err(not(
            "the header has a member that an answer's header does not have",
        ));
    }
    let is = |name: &str, value: &str| members.get(name).and_then(Value::as_str) == Some(value);
    if !is("alg", "ES256") {
        return Err(not("alg is not ES256"));
    }
    if !is("typ", RESULT_TYPE) {
        return Err(not("typ is not pvr+jwt"));
    }
    if !is("kid", kid) {
        return Err(not("kid is not the id of the key"));
    }
    Ok(())
}

/// The newest checkpoint that was agreed to be signed, as size and root: a split view needs a signer
/// that forgets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Watermark(Option<(u64, String)>);

impl Watermark {
    /// The watermark at a checkpoint; `None` when the root is none.
    pub(super) fn at(size: u64, root: String) -> Option<Self> {
        is_root(&root).then_some(Self(Some((size, root))))
    }

    /// The size and root of the newest checkpoint.
    pub(super) fn newest(&self) -> Option<(u64, &str)> {
        self.0.as_ref().map(|(size, root)| (*size, root.as_str()))
    }

    /// Checks that `message` is the text of a checkpoint (C2SP tlog-checkpoint) of the log `origin`
    /// and does not contradict the newest one, and remembers it before anything is signed.
    pub(super) fn admit(&mut self, message: &[u8], origin: &str) -> Result<(), SignerError> {
        let (size, root) = read_checkpoint(message, origin)?;
        if let Some((last_size, last_root)) = &self.0 {
            if size < *last_size {
                return Err(SignerError::CheckpointConflict("the tree is smaller"));
            }
            if size == *last_size && root != last_root {
                return Err(SignerError::CheckpointConflict(
                    "another root at the same size",
                ));
            }
        }
        self.0 = Some((size, root.to_owned()));
        Ok(())
    }
}

fn read_checkpoint<'a>(message: &'a [u8], origin: &str) -> Result<(u64, &'a str), SignerError> {
    let text = str::from_utf8(message).map_err(|_| not("a checkpoint is UTF-8"))?;
    let body = text
        .strip_suffix('\n')
        .ok_or(not("a checkpoint ends with a line break"))?;
    let mut lines = body.split('\n');
    if lines.next() != Some(origin) {
        return Err(not("the first line is not the origin of this tenant's log"));
    }
    let size = lines
        .next()
        .and_then(read_size)
        .ok_or(not("the second line is not a tree size"))?;
    let root = lines
        .next()
        .filter(|line| is_root(line))
        .ok_or(not("the third line is not a root hash"))?;
    // An empty line would end the text of a signed note; a control character has no business in it.
    if lines.any(|line| line.is_empty() || line.chars().any(char::is_control)) {
        return Err(not("an extension line is empty or has a control character"));
    }
    Ok((size, root))
}

fn read_size(line: &str) -> Option<u64> {
    let plain = line == "0" || !line.starts_with('0');
    let digits = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    (plain && digits).then(|| line.parse().ok()).flatten()
}

/// 32 bytes in standard base64 with padding: 43 letters and one `=`, the last two bits zero.
fn is_root(line: &str) -> bool {
    let Some(letters) = line.strip_suffix('=').filter(|letters| letters.len() == 43) else {
        return false;
    };
    let standard = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    letters.bytes().all(standard) && letters.ends_with(|last| "AEIMQUYcgkosw048".contains(last))
}

fn not(why: &'static str) -> SignerError {
    SignerError::MessageNotSignable(why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use pavilion_jose::base64url;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    const OTHER: &str = "AAAAapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

    fn signing_input(header: &[u8], payload: &[u8]) -> String {
        format!("{}.{}", base64url(header), base64url(payload))
    }

    fn with_header(header: &Value) -> Result<(), SignerError> {
        check_result(
            signing_input(header.to_string().as_bytes(), b"{}").as_bytes(),
            "k1",
            &KnownHeader::default(),
        )
    }

    #[test]
    fn a_header_that_was_taken_once_opens_no_door_for_another() {
        let known = KnownHeader::default();
        let check = |header: &Value, payload: &[u8]| {
            let message = signing_input(header.to_string().as_bytes(), payload);
            check_result(message.as_bytes(), "k1", &known)
        };
        let good = json!({"alg": "ES256", "typ": "pvr+jwt", "kid": "k1"});
        for _ in 0..2 {
            check(&good, b"{}").unwrap();
            assert!(check(&good, b"[]").is_err());
            let other = json!({"alg": "ES256", "typ": "pvr+jwt", "kid": "k2"});
            assert!(check(&other, b"{}").is_err());
        }
    }

    fn checkpoint(size: &str, root: &str) -> Vec<u8> {
        format!("log.example/acme\n{size}\n{root}\n").into_bytes()
    }

    fn why(outcome: Result<(), SignerError>) -> &'static str {
        match outcome.unwrap_err() {
            SignerError::MessageNotSignable(why) | SignerError::CheckpointConflict(why) => why,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn an_answer_is_signable() {
        with_header(&json!({"alg": "ES256", "typ": "pvr+jwt", "kid": "k1"})).unwrap();
    }

    #[test]
    fn a_header_that_says_something_else_is_refused() {
        for (header, reason) in [
            (
                json!({"alg": "none", "typ": "pvr+jwt", "kid": "k1"}),
                "alg is not ES256",
            ),
            (
                json!({"alg": "ES256", "typ": "JWT", "kid": "k1"}),
                "typ is not pvr+jwt",
            ),
            (json!({"alg": "ES256", "kid": "k1"}), "typ is not pvr+jwt"),
            (
                json!({"alg": "ES256", "typ": "pvr+jwt", "kid": "k2"}),
                "kid is not the id of the key",
            ),
            (
                json!({"alg": "ES256", "typ": "pvr+jwt"}),
                "kid is not the id of the key",
            ),
            (json!(["ES256"]), "the header is not a JSON object"),
        ] {
            assert_eq!(why(with_header(&header)), reason, "{header}");
        }
        for member in ["crit", "b64", "jwk", "jku", "x5c", "iss"] {
            let mut header = json!({"alg": "ES256", "typ": "pvr+jwt", "kid": "k1"});
            header[member] = json!(false);
            assert!(why(with_header(&header)).contains("a member"), "{member}");
        }
    }

    #[test]
    fn what_is_no_signing_input_is_refused() {
        let header = br#"{"alg":"ES256","typ":"pvr+jwt","kid":"k1"}"#;
        let twice = br#"{"alg":"none","alg":"ES256","typ":"pvr+jwt","kid":"k1"}"#;
        let refused = |message: &str| {
            why(check_result(
                message.as_bytes(),
                "k1",
                &KnownHeader::default(),
            ))
        };
        assert_eq!(refused("abc"), "a signing input has two parts");
        assert_eq!(
            refused(&signing_input(twice, b"{}")),
            "the header is not strict JSON"
        );
        assert_eq!(
            refused(&signing_input(header, b"log\n1\n")),
            "the payload is not a JSON object"
        );
        assert_eq!(
            refused(&signing_input(header, b"")),
            "the payload is not a JSON object"
        );
        assert_eq!(
            refused(&(signing_input(header, b"{}") + ".AAAA")),
            "the payload is not base64url"
        );
        assert_eq!(
            refused(&(signing_input(header, b"{}") + "=")),
            "the payload is not base64url"
        );
        assert_eq!(refused("e30 .e30"), "the header is not base64url");
        assert_eq!(
            why(check_result(b"\xff.e30", "k1", &KnownHeader::default())),
            "a signing input is ASCII"
        );
    }

    #[test]
    fn a_growing_log_is_signed_and_the_newest_checkpoint_may_be_signed_again() {
        let mut watermark = Watermark::default();
        for (size, root) in [("0", OTHER), ("7", ROOT), ("7", ROOT), ("8", OTHER)] {
            watermark
                .admit(&checkpoint(size, root), "log.example/acme")
                .unwrap();
        }
    }

    #[test]
    fn a_log_that_shrinks_or_splits_is_refused() {
        let mut watermark = Watermark::default();
        watermark
            .admit(&checkpoint("7", ROOT), "log.example/acme")
            .unwrap();
        let mut refused = |size, root| {
            watermark
                .admit(&checkpoint(size, root), "log.example/acme")
                .unwrap_err()
                .code()
        };
        assert_eq!(refused("6", ROOT), "checkpoint_conflict");
        assert_eq!(refused("7", OTHER), "checkpoint_conflict");
    }

    #[test]
    fn a_refused_checkpoint_leaves_no_trace() {
        let mut watermark = Watermark::default();
        watermark
            .admit(&checkpoint("9", ROOT), "another.log")
            .unwrap_err();
        watermark
            .admit(&checkpoint("1", ROOT), "log.example/acme")
            .unwrap();
    }

    #[test]
    fn what_is_no_checkpoint_of_this_log_is_refused() {
        let origin = "log.example/acme";
        let refused = |text: String| why(Watermark::default().admit(text.as_bytes(), origin));
        assert!(refused(format!("{origin}\n1\n{ROOT}")).contains("line break"));
        assert!(refused(format!("other\n1\n{ROOT}\n")).contains("origin"));
        for size in ["", "-1", "+1", "01", "1 ", "0x1", "18446744073709551616"] {
            assert!(
                refused(format!("{origin}\n{size}\n{ROOT}\n")).contains("tree size"),
                "{size}"
            );
        }
        for root in [
            "",
            "AA==",
            &ROOT.replace("2I=", "2J="),
            &ROOT.replace('/', "_"),
            &ROOT[..43],
        ] {
            assert!(
                refused(format!("{origin}\n1\n{root}\n")).contains("root hash"),
                "{root}"
            );
        }
        for line in ["", "a\rb", "\u{1}"] {
            assert!(
                refused(format!("{origin}\n1\n{ROOT}\n{line}\n")).contains("extension"),
                "{line:?}"
            );
        }
        assert!(refused(format!("{origin}\n1\n")).contains("root hash"));
        let binary = Watermark::default().admit(b"\xff\n", origin);
        assert!(why(binary).contains("UTF-8"));
    }

    #[test]
    fn an_extension_line_is_signable() {
        let text = format!("log.example/acme\n1\n{ROOT}\ntime 5\n");
        Watermark::default()
            .admit(text.as_bytes(), "log.example/acme")
            .unwrap();
    }

    proptest! {
        #[test]
        fn no_message_is_both_an_answer_and_a_checkpoint(message in proptest::collection::vec(any::<u8>(), 0..200)) {
            let answer = check_result(&message, "k1", &KnownHeader::default()).is_ok();
            let checkpoint = Watermark::default().admit(&message, "log.example/acme").is_ok();
            prop_assert!(!(answer && checkpoint));
        }
    }
}
