//! Codes about status lists.

entries! { Status;
    REVOKED = "status_revoked", 0, FINAL,
        "The credential was revoked",
        "Its status list says invalid.",
        "Get a new credential from the issuer.";
    SUSPENDED = "status_suspended", 0, FINAL,
        "The credential is suspended",
        "Its status list says suspended.",
        "Ask the issuer to lift the suspension.";
    MISSING = "status_missing", 0, FINAL,
        "The credential names no status list",
        "The trust anchor requires one.",
        "Present a credential with a status, or relax the trust anchor.";
    LIST_UNREACHABLE = "status_list_unreachable", 0, RETRY,
        "The status list could not be fetched",
        "The list's server did not answer in time or answered with an error.",
        "Try again later.";
    LIST_ADDRESS_REFUSED = "status_list_address_refused", 0, FINAL,
        "The status list's address is refused",
        "Its address is private or not https, which the trust anchor does not allow.",
        "The issuer must publish the list at a public https address.";
    LIST_INVALID = "status_list_invalid", 0, FINAL,
        "The status list is not valid",
        "Its signature, subject, type or encoding is wrong.",
        "Tell the issuer.";
    LIST_STALE = "status_list_stale", 0, RETRY,
        "The status list is too old",
        "It has expired or is older than the trust anchor allows.",
        "Try again when the issuer has published a fresh list.";
    LIST_TOO_LARGE = "status_list_too_large", 0, FINAL,
        "The status list is too large",
        "It is over the size limit before or after decompression.",
        "The issuer must split the list.";
    INDEX_OUT_OF_RANGE = "status_index_out_of_range", 0, FINAL,
        "The status index is outside the list",
        "The list has no entry at the credential's index.",
        "Tell the issuer.";
    VALUE_UNKNOWN = "status_value_unknown", 0, FINAL,
        "The status value has no known meaning",
        "The list holds a value that this broker does not know.",
        "Tell the issuer.";
    MECHANISM_UNSUPPORTED = "status_mechanism_unsupported", 0, FINAL,
        "The credential's status mechanism is not supported",
        "Its status names no status_list, only other mechanisms.",
        "Present a credential with a status list.";
}
