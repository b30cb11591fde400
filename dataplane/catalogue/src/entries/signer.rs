//! Codes about the signer and its token.

entries! { Signer;
    UNAVAILABLE = "signer_unavailable", 503, RETRY,
        "The signer is away",
        "The signer or its token does not answer.",
        "Try again later; the operator should look at the signer.";
    OVERLOADED = "signer_overloaded", 503, RETRY,
        "The signer is busy",
        "The queue of signatures is full.",
        "Try again after the time in Retry-After.";
    TIMEOUT = "signer_timeout", 503, RETRY,
        "The signer took too long",
        "The signature did not come within its deadline.",
        "Try again later.";
    KEY_UNKNOWN = "key_unknown", 0, FINAL,
        "There is no such key",
        "No key of the token has this id.",
        "Read the public keys again.";
    KEY_RETIRED = "key_retired", 0, RETRY,
        "The key was rotated out",
        "A newer key signs now.",
        "Read the public keys again and use the current one.";
    MESSAGE_NOT_SIGNABLE = "message_not_signable", 0, FINAL,
        "The message is not one this key signs",
        "A key signs only messages of its purpose's form.",
        "A defect or an attack; tell the operator.";
    CALLER_NOT_ALLOWED = "caller_not_allowed", 0, FINAL,
        "The caller may not ask for this",
        "A program asked for a signature or a rotation that the signer's configuration does not give to its user.",
        "A defect or an attack; tell the operator.";
    TOKEN_FULL = "token_full", 503, FINAL,
        "The token has no room",
        "The PKCS#11 token could not store another object.",
        "Remove retired keys or enlarge the token.";
    CHECKPOINT_CONFLICT = "checkpoint_conflict", 0, FINAL,
        "The checkpoint contradicts one signed before",
        "The log asked for a checkpoint of a smaller tree, or of another tree of the same size, than one already signed.",
        "The log was set back or split; stop the tenant and compare the log with its last published checkpoint.";
    ROTATION_REFUSED = "rotation_refused", 0, FINAL,
        "The key is not rotated",
        "The checkpoint key is the log's identity and stays, or too many replaced keys are still published.",
        "Rotate only the result key, and wait until replaced keys have left the published set.";
}
