//! The log's part of the document. The auditor serves these paths, behind the same host.

#![allow(
    unused_qualifications,
    reason = "the macro writes every name with its path"
)]

use std::collections::BTreeMap;

use utoipa::openapi::{Content, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, OpenApi};

use super::{LogProblems, Responses, TileProblems};

/// The operations of the log.
#[derive(OpenApi)]
#[openapi(paths(checkpoint, tile, partial_tile, entries, partial_entries))]
pub(super) struct Log;

/// The level of a tile.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct Level {
    /// The level, 0 to 63, without leading zeros. Level 0 holds the hashes of entries.
    #[param(pattern = "^(0|[1-9]|[1-5][0-9]|6[0-3])$", example = "0")]
    #[allow(dead_code, reason = "only its schema is used")]
    level: String,
}

/// The number of a tile within its level.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct Index {
    /// The tile's number, three digits. From 1,000 on it takes several segments of the path, of which
    /// all but the last begin with an `x`: tile 1,234,067 is `x001/x234/067`.
    #[param(pattern = "^[0-9]{3}$", example = "000")]
    #[allow(dead_code, reason = "only its schema is used")]
    index: String,
}

/// The width of a partial tile.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct Width {
    /// Hashes in the tile, 1 to 255, without leading zeros.
    #[param(
        pattern = "^([1-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])$",
        example = "1"
    )]
    #[allow(dead_code, reason = "only its schema is used")]
    width: String,
}

/// A tile. JSON Schema has nothing to say about raw bytes, so it has no schema.
struct Hashes;

impl IntoResponses for Hashes {
    fn responses() -> Responses {
        let response = ResponseBuilder::new()
            .description("Hashes of 32 bytes, one after the other.")
            .content("application/octet-stream", Content::default())
            .build();
        BTreeMap::from([("200".to_owned(), response.into())])
    }
}

/// The log's newest signed tree head: size and root hash (C2SP tlog-checkpoint).
#[utoipa::path(
    get, path = "/log/checkpoint", operation_id = "getCheckpoint", tag = "log",
    responses(
        (status = 200, description = "A signed note.", body = String, content_type = "text/plain"),
        LogProblems,
    ),
    security(()),
)]
#[allow(dead_code, reason = "only its description is used")]
fn checkpoint() {}

/// A full tile: 256 hashes of one level (C2SP tlog-tiles). It never changes.
#[utoipa::path(
    get, path = "/log/tile/{level}/{index}", operation_id = "getTile", tag = "log",
    params(Level, Index),
    responses(Hashes, TileProblems),
    security(()),
)]
#[allow(dead_code, reason = "only its description is used")]
fn tile() {}

/// The first hashes of a tile, at any width that a checkpoint may have had. It never changes.
#[utoipa::path(
    get, path = "/log/tile/{level}/{index}.p/{width}", operation_id = "getPartialTile", tag = "log",
    params(Level, Index, Width),
    responses(Hashes, TileProblems),
    security(()),
)]
#[allow(dead_code, reason = "only its description is used")]
fn partial_tile() {}

/// Refused: entries are not served. A relying party has its own in its receipt.
#[utoipa::path(
    get, path = "/log/tile/entries/{index}", operation_id = "getEntries", tag = "log",
    params(Index), responses(TileProblems), security(()),
)]
#[allow(dead_code, reason = "only its description is used")]
fn entries() {}

/// Refused, as full bundles of entries are.
#[utoipa::path(
    get, path = "/log/tile/entries/{index}.p/{width}", operation_id = "getPartialEntries", tag = "log",
    params(Index, Width), responses(TileProblems), security(()),
)]
#[allow(dead_code, reason = "only its description is used")]
fn partial_entries() {}
