//! Keys of rows: digests over named parts, so that no part can be mistaken for another.

use pavilion_json::Digest;

use crate::store::Key;

/// The key of something, of the given kind, made of these parts.
pub(crate) fn key_of(kind: &str, parts: &[&str]) -> Key {
    let mut text = Vec::with_capacity(256);
    for part in std::iter::once(&kind).chain(parts) {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    *Digest::of(&text).as_bytes()
}

/// 32 random bytes in base64url.
///
/// # Errors
/// If the system has no randomness to give.
pub(crate) fn random_text() -> Result<String, aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(pavilion_jose::base64url(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted_into_one_another() {
        assert_ne!(key_of("a", &["bc", "d"]), key_of("a", &["b", "cd"]));
        assert_ne!(key_of("a", &["b"]), key_of("ab", &[]));
        assert_eq!(key_of("a", &["b"]), key_of("a", &["b"]));
    }

    #[test]
    fn random_texts_differ() {
        assert_ne!(random_text(), random_text());
        assert_eq!(random_text().map(|text| text.len()), Ok(43));
    }
}
