//! Codes about credentials and presentations.

entries! { Presentation;
    MALFORMED = "presentation_malformed", 422, FINAL,
        "The presentation cannot be read",
        "It is not an SD-JWT of the expected form.",
        "Send what the wallet returned, unchanged.";
    TOO_LARGE = "presentation_too_large", 422, FINAL,
        "The presentation is too large",
        "It is over the size, depth or count limit.",
        "Disclose only what the policy asks for.";
    NONCE_MISMATCH = "presentation_nonce_mismatch", 422, FINAL,
        "The presentation answers another request",
        "The key-binding JWT carries a nonce that this verification did not hand out.",
        "Present again with the nonce of this verification.";
    AUDIENCE_MISMATCH = "presentation_audience_mismatch", 422, FINAL,
        "The presentation was made for somebody else",
        "The key-binding JWT names another audience.",
        "Present again with the audience that the verification names.";
    REPLAYED = "presentation_replayed", 422, FINAL,
        "The presentation was used before",
        "The same key-binding JWT was already answered for.",
        "Let the wallet present again with a fresh nonce.";
    CREDENTIAL_REUSED = "presentation_credential_reused", 422, FINAL,
        "One credential was presented for two pieces of evidence",
        "The same credential stands under two evidence ids.",
        "Present another credential for each piece of evidence, or leave out the one that is optional.";
    CLAIM_NOT_EXACT = "claim_not_exact", 422, FINAL,
        "A claim cannot be carried exactly",
        "A claim that the answer is to carry is a number that JSON would round (RFC 8785).",
        "Limit the answer to other claims by result.disclose; the issuer should write the number as text.";
    CREDENTIAL_SIGNATURE_INVALID = "credential_signature_invalid", 0, FINAL,
        "The credential's signature does not verify",
        "The issuer's signature does not fit the credential.",
        "The credential was altered or the issuer's keys changed; get a new one.";
    CREDENTIAL_EXPIRED = "credential_expired", 0, FINAL,
        "The credential has expired",
        "Its exp lies in the past beyond the leeway.",
        "Get a new credential from the issuer.";
    CREDENTIAL_NOT_YET_VALID = "credential_not_yet_valid", 0, FINAL,
        "The credential is not valid yet",
        "Its nbf or iat lies in the future beyond the leeway.",
        "Wait, or check the issuer's clock.";
    CREDENTIAL_TYPE_NOT_ACCEPTED = "credential_type_not_accepted", 0, FINAL,
        "The credential's type is not accepted",
        "Its vct is not among the types the policy asks for.",
        "Present a credential of the type that the verification lists.";
    CREDENTIAL_INVALID = "credential_invalid", 0, FINAL,
        "The credential breaks its format's rules",
        "A required member is missing, selectively disclosed where it must not be, or of the wrong type.",
        "The issuer must correct the credential.";
    ISSUER_NOT_TRUSTED = "issuer_not_trusted", 0, FINAL,
        "The issuer is not trusted",
        "No trust anchor of the policy believes this issuer for this credential type.",
        "Present a credential of a trusted issuer, or ask the tenant to add the issuer.";
    ISSUER_KEY_UNKNOWN = "issuer_key_unknown", 0, FINAL,
        "The issuer's key is not known",
        "The issuer is trusted but the key that signed is not among its keys.",
        "The trust anchor may lack a rotated key; tell the tenant.";
    CERTIFICATE_CHAIN_UNTRUSTED = "certificate_chain_untrusted", 0, FINAL,
        "The issuer's certificate chain is not trusted",
        "The x5c chain does not end in a trusted authority, has expired, or names another issuer.",
        "Present a credential of an issuer under a trusted authority.";
    ALGORITHM_NOT_ALLOWED = "algorithm_not_allowed", 0, FINAL,
        "The signature algorithm is not allowed",
        "The alg is none, symmetric, or not on the trust anchor's list.",
        "The issuer or wallet must use an allowed algorithm, such as ES256.";
    DISCLOSURE_DIGEST_UNMATCHED = "disclosure_digest_unmatched", 0, FINAL,
        "A disclosure does not belong to the credential",
        "Its digest is nowhere in the credential: it was altered or added.",
        "Send what the wallet returned, unchanged.";
    DISCLOSURE_DUPLICATE = "disclosure_duplicate", 0, FINAL,
        "A disclosure or digest stands twice",
        "The same digest or claim appears more than once.",
        "The issuer or wallet must correct it.";
    DISCLOSURE_RESERVED_NAME = "disclosure_reserved_name", 0, FINAL,
        "A disclosure uses a reserved name",
        "A disclosed claim is named _sd or ..., or overwrites one that must not be selectively disclosed.",
        "The issuer must correct the credential.";
    KEY_BINDING_MISSING = "key_binding_missing", 0, FINAL,
        "The presentation is not bound to its holder",
        "The policy demands a key-binding JWT and there is none.",
        "Let the wallet present with key binding.";
    KEY_BINDING_UNEXPECTED = "key_binding_unexpected", 0, FINAL,
        "The presentation carries a key binding that was not asked for",
        "The policy takes this evidence without key binding.",
        "Present without a key-binding JWT.";
    KEY_BINDING_SIGNATURE_INVALID = "key_binding_signature_invalid", 0, FINAL,
        "The holder's signature does not verify",
        "The key-binding JWT was not signed by the key in the credential.",
        "Present with the wallet that holds the credential's key.";
    KEY_BINDING_INVALID = "key_binding_invalid", 0, FINAL,
        "The key-binding JWT breaks its format's rules",
        "A required member is missing or of the wrong type.",
        "The wallet must correct it (RFC 9901 section 4.3).";
    KEY_BINDING_EXPIRED = "key_binding_expired", 0, FINAL,
        "The key-binding JWT is too old",
        "Its iat lies further back than allowed.",
        "Present again.";
    KEY_BINDING_FROM_THE_FUTURE = "key_binding_from_the_future", 0, FINAL,
        "The key-binding JWT is from the future",
        "Its iat lies ahead of our clock beyond the leeway.",
        "Check the wallet's clock and present again.";
    KEY_BINDING_SD_HASH_MISMATCH = "key_binding_sd_hash_mismatch", 0, FINAL,
        "The key binding covers another presentation",
        "The sd_hash is not that of the credential and disclosures presented.",
        "Send what the wallet returned, unchanged.";
    HOLDER_KEY_MISSING = "holder_key_missing", 0, FINAL,
        "The credential names no holder key",
        "It has no cnf.jwk that a key binding could be checked with.",
        "Present a credential that is bound to a key.";
    HOLDER_KEY_UNSUPPORTED = "holder_key_unsupported", 0, FINAL,
        "The credential names its holder's key in an unsupported way",
        "Its cnf has members beside jwk, or its jwk is no supported public key for signatures.",
        "The issuer must name the key in cnf.jwk alone: EC P-256, P-384, P-521 or Ed25519.";
}
