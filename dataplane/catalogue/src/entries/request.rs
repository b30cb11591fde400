//! Codes about the request itself.

entries! { Request;
    BODY_TOO_LARGE = "body_too_large", 413, FINAL,
        "The request body is too large",
        "The body is over the limit of this tenant.",
        "Send less, for instance presentations that disclose only what the policy asks for.";
    BODY_MALFORMED = "body_malformed", 400, FINAL,
        "The request body cannot be read",
        "The body is not UTF-8 JSON, repeats a key, or is nested too deeply or holds too many values.",
        "Send one JSON object as the OpenAPI document describes.";
    BODY_INVALID = "body_invalid", 422, FINAL,
        "The request body does not fit",
        "A member is missing, unknown, or of the wrong type or form.",
        "Compare the body with the OpenAPI document; the problem names the member.";
    BODY_TOO_SLOW = "body_too_slow", 408, RETRY,
        "The request body came too slowly",
        "No part of the body came within the time allowed.",
        "Send the request again on a better connection.";
    CONTENT_TYPE_UNSUPPORTED = "content_type_unsupported", 415, FINAL,
        "The content type is not supported",
        "The endpoint reads another content type.",
        "Send application/json (the token endpoint reads application/x-www-form-urlencoded).";
    NOT_ACCEPTABLE = "not_acceptable", 406, FINAL,
        "No acceptable representation",
        "The answer has no projection that the Accept header allows.",
        "Accept application/json or application/jwt.";
    NOT_FOUND = "not_found", 404, FINAL,
        "There is nothing here",
        "No such path, or no such verification of this relying party.",
        "Check the path; verifications are deleted after the tenant's retention time.";
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, FINAL,
        "The method is not allowed here",
        "The path exists but does not take this method.",
        "See the Allow header.";
    NONCE_REQUIRED = "nonce_required", 422, FINAL,
        "A nonce is required with presentations",
        "Presentations in the first request must answer a nonce that the relying party chose.",
        "Send the nonce the wallet signed, or start the verification first and use the nonce it returns.";
    NONCE_REUSED = "nonce_reused", 422, FINAL,
        "The nonce was used before",
        "A verification of this tenant was asked with the same nonce.",
        "Use a fresh random nonce for each verification, or let the verifier make it.";
    EVIDENCE_UNKNOWN = "evidence_unknown", 422, FINAL,
        "The policy asks for no such evidence",
        "A presentation names an evidence id that the policy does not have, or names one twice.",
        "Use the evidence ids that the created verification lists.";
    EVIDENCE_EMPTY = "evidence_empty", 422, FINAL,
        "No evidence was sent",
        "The list of presentations is empty.",
        "Send at least one presentation.";
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid", 400, FINAL,
        "The idempotency key cannot be used",
        "The Idempotency-Key header has a character or length that is not allowed.",
        "Use 1 to 128 printable ASCII characters, for instance a UUID.";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", 422, FINAL,
        "The idempotency key was used for another request",
        "The same Idempotency-Key came with another body.",
        "Use a new key for a new request.";
    IDEMPOTENCY_KEY_IN_USE = "idempotency_key_in_use", 409, RETRY,
        "A request with this idempotency key is under way",
        "The first request with this key has not finished.",
        "Wait and send the same request again.";
    STATE_CONFLICT = "state_conflict", 409, FINAL,
        "The verification is not in a state for this",
        "It is being evaluated, or has ended.",
        "Read the verification; start a new one if it has ended.";
    VERIFICATION_EXPIRED = "verification_expired", 410, FINAL,
        "The verification has expired",
        "Evidence did not come in time.",
        "Start a new verification.";
    VERIFICATION_FAILED = "verification_failed", 500, FINAL,
        "The verification failed",
        "A defect ended its evaluation; it was logged with the request id.",
        "Start a new verification; if it persists tell the operator the request id.";
    RESULT_NOT_READY = "result_not_ready", 409, RETRY,
        "There is no result yet",
        "The verification has not completed.",
        "Send evidence, or read the verification's state.";
    OVERLOADED = "overloaded", 503, RETRY,
        "The tenant is busy",
        "The queue of evaluations is full.",
        "Try again after the time in Retry-After.";
    EVALUATION_TIMEOUT = "evaluation_timeout", 503, RETRY,
        "The evaluation took too long",
        "Something it waited for did not come in time, so nothing was decided.",
        "Send the same request again after the time in Retry-After.";
    VERIFICATION_LIMIT = "verification_limit_reached", 429, RETRY,
        "Too many verifications await evidence",
        "This relying party has as many unanswered verifications as one may have.",
        "Send their evidence, delete those that are not needed, or wait until they expire.";
    STATE_UNAVAILABLE = "state_unavailable", 503, RETRY,
        "The verifier cannot keep its records",
        "Short-lived state could not be written, so nothing was decided.",
        "Try again later; the operator should look at the verifier's disk.";
    NOT_CONFIGURED = "not_configured", 503, RETRY,
        "The tenant is not ready",
        "No valid bundle is served yet.",
        "Try again after the time in Retry-After.";
    INTERNAL = "internal_error", 500, RETRY,
        "Something went wrong inside",
        "A defect; it was logged with the request id.",
        "Try again; if it persists tell the operator the request id.";
}
