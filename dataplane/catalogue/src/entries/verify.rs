//! Codes of offline verification.

entries! { Verify;
    INPUT_MALFORMED = "input_malformed", 0, FINAL,
        "A file cannot be read",
        "It is not of the form its name promises.",
        "Use the files as the broker returned them.";
    SIGNATURE_INVALID = "answer_signature_invalid", 0, FINAL,
        "The answer's signature does not verify",
        "The answer was altered, or the key set is another tenant's.",
        "Fetch the key set from the issuer named in the answer.";
    KEY_NOT_PUBLISHED = "answer_key_not_published", 0, FINAL,
        "The answer's key is not in the key set",
        "No key has the answer's kid.",
        "Fetch the key set again; a rotated key leaves it after its last answer expired.";
    TYPE_WRONG = "answer_type_wrong", 0, FINAL,
        "The token is not an answer",
        "Its typ or alg is not that of a Pavilion result.",
        "Pass the answer's JWS.";
    ISSUER_MISMATCH = "answer_issuer_mismatch", 0, FINAL,
        "The answer is by somebody else",
        "Its iss is not the expected one.",
        "Check whom you asked.";
    AUDIENCE_MISMATCH = "answer_audience_mismatch", 0, FINAL,
        "The answer is for somebody else",
        "Its aud is not the expected one.",
        "Do not use it.";
    EXPIRED = "answer_expired", 0, FINAL,
        "The answer has expired",
        "Its exp has passed.",
        "Ask again, or check it as of the time it was used.";
    NOT_YET_VALID = "answer_not_yet_valid", 0, FINAL,
        "The answer is from the future",
        "Its iat is ahead of this clock.",
        "Check the clock.";
    NONCE_MISMATCH = "answer_nonce_mismatch", 0, FINAL,
        "The answer belongs to another request",
        "Its nonce is not the expected one.",
        "Do not use it.";
    REQUEST_MISMATCH = "answer_request_mismatch", 0, FINAL,
        "The answer is to another request",
        "Its request digest is not that of the request given.",
        "Pass the exact bytes that were sent.";
    POLICY_MISMATCH = "answer_policy_mismatch", 0, FINAL,
        "The answer was decided under another policy",
        "The policy revision digest is not the expected one.",
        "Compare the policy's revisions with the tenant.";
    LEAF_MISMATCH = "leaf_mismatch", 0, FINAL,
        "The log entry is not that of the answer",
        "The entry's hash or commitments do not fit the answer.",
        "Do not trust the receipt.";
    INDEX_MISMATCH = "receipt_index_mismatch", 0, FINAL,
        "The receipt is for another entry",
        "Answer and receipt name different places in the log.",
        "Fetch the receipt of this verification.";
    INCLUSION_INVALID = "inclusion_invalid", 0, FINAL,
        "The receipt does not prove inclusion",
        "The path from the entry does not lead to the checkpoint's root.",
        "Do not trust the receipt; fetch it again.";
    CHECKPOINT_SIGNATURE_INVALID = "checkpoint_signature_invalid", 0, FINAL,
        "The checkpoint's signature does not verify",
        "No signature of the log's key fits the checkpoint.",
        "Check the log's verifier key.";
    CHECKPOINT_ORIGIN_MISMATCH = "checkpoint_origin_mismatch", 0, FINAL,
        "The checkpoint is of another log",
        "Its origin is not the one the answer names.",
        "Check the log's verifier key and the receipt.";
}
