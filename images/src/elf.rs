//! What a program or library says it needs in order to run.

use std::path::Path;

use anyhow::{Context, Result};
use object::elf::{DT_NEEDED, FileHeader64};
use object::endian::Endianness;
use object::read::elf::{ElfFile, ProgramHeader};

/// The needs of one ELF file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The program that loads it: its dynamic linker.
    pub interpreter: Option<String>,
    /// The libraries that are loaded with it.
    pub libraries: Vec<String>,
}

impl Needs {
    /// Those of an ELF file of 64 bits, whose path is for the error.
    pub fn of(path: &Path, bytes: &[u8]) -> Result<Self> {
        read(bytes).with_context(|| format!("{} is no program that Linux runs", path.display()))
    }

    /// Whether there are none: it is linked statically.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

fn read(bytes: &[u8]) -> Result<Needs> {
    let file = ElfFile::<FileHeader64<Endianness>>::parse(bytes)?;
    let mut needs = Needs::default();
    for header in file.elf_program_headers() {
        if let Some(path) = header.interpreter(file.endian(), bytes)? {
            needs.interpreter = Some(text(path)?);
        }
    }
    let dynamic = file.elf_dynamic_table()?;
    for entry in dynamic.iter().filter(|entry| entry.tag == DT_NEEDED) {
        needs.libraries.push(text(dynamic.string(entry)?)?);
    }
    Ok(needs)
}

fn text(bytes: &[u8]) -> Result<String> {
    Ok(String::from_utf8(bytes.to_vec())?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_program_of_the_system_names_its_linker_and_its_libraries() {
        let path = Path::new("/bin/sh");
        let needs = Needs::of(path, &std::fs::read(path).unwrap()).unwrap();
        assert!(
            needs.interpreter.as_ref().unwrap().contains("/ld-linux"),
            "{needs:?}"
        );
        assert!(
            needs.libraries.contains(&"libc.so.6".to_owned()),
            "{needs:?}"
        );
        assert!(!needs.are_none());
    }

    #[test]
    fn a_script_is_no_program() {
        let error = Needs::of(Path::new("script"), b"#!/bin/sh\n").unwrap_err();
        assert!(
            error.to_string().contains("script is no program"),
            "{error}"
        );
    }
}
