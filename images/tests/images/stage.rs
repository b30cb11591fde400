//! Images of programs that stand for the real ones, which take long to build.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use pavilion_images::{
    ALL, Contents, Crates, Debian, Image, Labels, Linking, Program, named, write_layout,
};
use tempfile::TempDir;

/// The checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn crates() -> &'static Crates {
    static CRATES: OnceLock<Crates> = OnceLock::new();
    CRATES.get_or_init(|| Crates::of(checkout()).unwrap())
}

/// The smallest file that is a program of 64 bits which needs nothing, and then some bytes.
pub fn static_program(more: usize) -> Vec<u8> {
    let mut bytes = vec![0; 64 + more];
    bytes[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0");
    bytes[20] = 1;
    bytes[52] = 64;
    bytes
}

/// What would be in the image of a program that is these bytes.
pub fn contents(program: &Program, bytes: &[u8]) -> anyhow::Result<Contents> {
    let folder = TempDir::new().unwrap();
    let binary = folder.path().join(program.binary);
    fs::write(&binary, bytes).unwrap();
    Contents::of(program, &binary, crates(), &Debian::here().unwrap())
}

/// The bytes of a program that is linked as that of this name must be.
pub fn program(name: &str) -> Vec<u8> {
    match named(name).unwrap().linking {
        Linking::Static => static_program(4_096),
        Linking::Dynamic => fs::read("/bin/sh").unwrap(),
    }
}

/// Its image, which all tests share.
pub fn image(name: &str) -> &'static Image {
    static IMAGES: OnceLock<BTreeMap<&str, Image>> = OnceLock::new();
    let all = || ALL.iter().map(|program| (program.name, made(program.name)));
    &IMAGES.get_or_init(|| all().collect())[name]
}

/// Its image, made anew.
pub fn made(name: &str) -> Image {
    let labels = Labels::new("0123456789abcdef", Some("https://code.example/pavilion")).unwrap();
    let contents = contents(named(name).unwrap(), &program(name)).unwrap();
    Image::of(named(name).unwrap(), &contents, &labels).unwrap()
}

/// Its image, on disk.
pub fn layout(name: &str) -> TempDir {
    let out = TempDir::new().unwrap();
    write_layout(out.path(), image(name)).unwrap();
    out
}

/// All files below a folder, by their paths in it.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        if next.is_dir() {
            open.extend(
                fs::read_dir(&next)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            let name = next.strip_prefix(folder).unwrap().to_owned();
            found.insert(name, fs::read(&next).unwrap());
        }
    }
    found
}

/// The archive in the layer of an image.
pub fn unpacked(image: &Image) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut decoder = GzDecoder::new(image.layer.bytes.as_slice());
    decoder.read_to_end(&mut archive).unwrap();
    archive
}

/// The files in an archive.
pub fn entries(archive: &[u8]) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.header().entry_type().is_file());
    let read = files.map(|mut entry| {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().into_owned(), bytes)
    });
    read.collect()
}
