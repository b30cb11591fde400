//! Codes about the transparency log.

entries! { Log;
    UNAVAILABLE = "log_unavailable", 503, RETRY,
        "The log cannot be written",
        "The auditor is away or its disk does not take the entry; nothing leaves unlogged.",
        "Try again later; the operator should look at the auditor.";
    OVERLOADED = "log_overloaded", 503, RETRY,
        "The log is busy",
        "The queue of appends is full.",
        "Try again after the time in Retry-After.";
    ENTRY_INVALID = "log_entry_invalid", 0, FINAL,
        "The log entry is not of an allowed size",
        "An entry has 1 to 65,535 bytes.",
        "A defect; tell the operator.";
    INDEX_UNKNOWN = "log_index_unknown", 404, FINAL,
        "The log has no such entry",
        "The index is not below the log's size.",
        "Check the index.";
    ENTRIES_PRIVATE = "log_entries_private", 404, FINAL,
        "Entries are not served",
        "Tiles and checkpoints are public, entries are not.",
        "The tenant's auditors read entries from the log's directory.";
    TILE_UNKNOWN = "log_tile_unknown", 404, FINAL,
        "The log has no such tile",
        "The path names no tile of the log's current size.",
        "Compute tile paths from a checkpoint (C2SP tlog-tiles).";
}
