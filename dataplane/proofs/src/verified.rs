//! The mark of something that was verified.

use std::fmt;
use std::ops::Deref;

/// A value whose cryptography was checked. There is no other way to get one than to verify, so a
/// decision that asks for `Verified<T>` cannot be made from raw bytes.
///
/// ```compile_fail
/// let forged = pavilion_proofs::Verified("no signature was checked");
/// ```
/// ```compile_fail
/// let forged = pavilion_proofs::Verified::by_verifying("no signature was checked");
/// ```
#[derive(Clone)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Only the verifying functions of this crate call this.
    pub(crate) fn by_verifying(value: T) -> Self {
        Self(value)
    }

    /// The value, without the mark.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verified").field(&self.0).finish()
    }
}
