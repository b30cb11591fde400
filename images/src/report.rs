//! What is said: results on standard output, everything else on standard error.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use crate::image::Image;

/// Says a line.
#[allow(clippy::print_stderr, reason = "this is where the program talks")]
pub fn say(line: fmt::Arguments<'_>) {
    eprintln!("pavilion-images: {line}");
}

/// Prints what was made: the image, the bytes that travel, the bytes in it, what to pin it by.
#[allow(clippy::print_stdout, reason = "this is where results are printed")]
pub fn table(images: &[Image]) {
    println!("{}", rows(images));
}

fn rows(images: &[Image]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["IMAGE", "COMPRESSED", "FILES", "DIGEST"]);
    for image in images {
        table.add_row([
            image.program.reference(),
            megabytes(image.compressed()),
            megabytes(image.unpacked),
            image.manifest.digest.clone(),
        ]);
    }
    for column in [1, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Bytes as people say them.
pub fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up() {
        assert_eq!(megabytes(0), "0.0 MB");
        assert_eq!(megabytes(1), "0.1 MB");
        assert_eq!(megabytes(40_000_000), "40.0 MB");
        assert_eq!(megabytes(40_000_001), "40.1 MB");
    }
}
