//! Who asks: access tokens by client credentials.
//!
//! A relying party proves itself at the token endpoint by a signed assertion (`private_key_jwt`,
//! RFC 7523) or by its client certificate (RFC 8705), and gets an opaque token of 256 random bits.
//! Only the token's SHA-256 is kept. A token is short-lived, counts for this tenant's issuer only,
//! is bound to the certificate if that is how it was got, and dies when its relying party leaves
//! the bundle or is made anew under the same name, or when the bundle has the key, or the
//! certificate's authority or name, not any more by which it was got.

mod access_tokens;
mod assertion;
mod caller;
mod certificate;
mod endpoint;
mod form;

pub use access_tokens::AccessTokens;
pub use caller::Caller;
pub(crate) use certificate::ClientCertificate;
pub(crate) use endpoint::{__path_token, token};
pub(crate) use form::TokenForm;
