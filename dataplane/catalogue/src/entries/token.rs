//! Codes about who asks.

entries! { Token;
    MISSING = "token_missing", 401, FINAL,
        "An access token is needed",
        "The request carries no bearer token.",
        "Get a token from the token endpoint and send it as Authorization: Bearer.";
    INVALID = "token_invalid", 401, FINAL,
        "The access token is not valid",
        "The token is unknown here, has expired, belongs to another tenant, or its relying party no longer exists.",
        "Get a new token from this tenant's token endpoint.";
    CERTIFICATE_MISMATCH = "token_certificate_mismatch", 401, FINAL,
        "The access token belongs to another certificate",
        "The token was issued to a client certificate that this connection does not show (RFC 8705).",
        "Use the connection's certificate that got the token.";
    CLIENT_INVALID = "client_invalid", 401, FINAL,
        "The client could not be authenticated",
        "The assertion or certificate does not prove a relying party of this tenant.",
        "Check client_id, the signing key or certificate, and the assertion's audience and times.";
    ASSERTION_REPLAYED = "assertion_replayed", 401, FINAL,
        "The client assertion was used before",
        "An assertion with this jti was seen.",
        "Make a new assertion with a new jti for each token request.";
    LIMIT = "token_limit_reached", 429, RETRY,
        "Too many access tokens are live",
        "This relying party holds as many live tokens as one may hold.",
        "Use a token until it expires instead of getting one for each request.";
    GRANT_UNSUPPORTED = "grant_unsupported", 400, FINAL,
        "The grant type is not supported",
        "Only client_credentials is.",
        "Send grant_type=client_credentials.";
    REQUEST_INVALID = "token_request_invalid", 400, FINAL,
        "The token request cannot be read",
        "A parameter is missing, repeated or malformed.",
        "Send grant_type, client_assertion_type and client_assertion as form parameters (RFC 7523).";
}
