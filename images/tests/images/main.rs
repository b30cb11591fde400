//! What is promised of every image.

#![allow(clippy::unwrap_used, clippy::panic)]

mod containerfile;
mod contents;
mod layout;
mod sbom;
mod stage;
