//! The checkout that this program was built from.

use std::path::{Path, PathBuf};

/// Its folder.
pub fn folder() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_workspace() {
        assert!(folder().join("Cargo.lock").is_file());
    }
}
