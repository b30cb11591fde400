//! Codes about the machine the programs run on.

entries! { Host;
    PORT_TAKEN = "port_taken", 0, FINAL,
        "The address is in use",
        "Another program listens there.",
        "Stop it or choose another address with --listen.";
    STATE_UNWRITABLE = "state_unwritable", 0, FINAL,
        "The state directory cannot be written",
        "It is missing, read-only, full or somebody else's.",
        "Give a directory that this user can write.";
    STATE_NOT_PRIVATE = "state_not_private", 0, FINAL,
        "Others can write the state directory",
        "It belongs to another user, or its mode lets group or others write.",
        "Give a directory of this user's own with mode 0700, or let the operator make one.";
    STATE_NEWER = "state_newer", 0, FINAL,
        "The state is of a newer version",
        "A newer release wrote it.",
        "Run that release or a newer one.";
    STATE_LOCKED = "state_locked", 0, FINAL,
        "The state directory is in use",
        "Another operator holds its lock.",
        "Stop the other operator first.";
    MODULE_MISSING = "module_missing", 0, FINAL,
        "The PKCS#11 module cannot be loaded",
        "The file is missing or is no PKCS#11 module.",
        "Install softhsm2 or give the module's path with --pkcs11-module.";
    PROGRAM_MISSING = "program_missing", 0, FINAL,
        "A program is missing",
        "The operator starts the data plane's programs and did not find one.",
        "Install all programs in one folder or give it with --bin-dir.";
    TOKEN_REFUSED = "token_refused", 0, FINAL,
        "The token refused the PIN",
        "The PIN file does not fit the token.",
        "Restore the PIN file that belongs to the token.";
    CRDS_OLDER = "crds_older", 0, FINAL,
        "The custom resource definitions are older than the operator",
        "A field or value that this operator writes or reads is unknown to the API server, which would drop it.",
        "Upgrade the chart pavilion-crds to the operator's release, then the operator.";
    LOG_BROKEN = "log_broken", 0, FINAL,
        "The log does not verify",
        "Tiles, entries and checkpoint on disk contradict each other.",
        "Restore the log from a copy; never edit it.";
}
