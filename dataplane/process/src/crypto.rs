//! The one place that chooses who does cryptography for TLS: rustls on aws-lc-rs.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The provider of this workspace. Post-quantum hybrid key exchange comes first.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<CryptoProvider>> = std::sync::OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

/// Makes it the process's default. Calling it again changes nothing.
pub fn install() {
    // An error says that a default is already set, which is what was asked for.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
