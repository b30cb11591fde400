//! Codes of the shared edge.

entries! { Edge;
    HOST_UNKNOWN = "host_unknown", 421, FINAL,
        "No tenant has this host",
        "The request names a host that is not served here.",
        "Use a host of the tenant.";
    HOST_MISMATCH = "host_mismatch", 421, FINAL,
        "The request names another host than the connection",
        "TLS server name and Host disagree (RFC 9110 section 15.5.20).",
        "Open a connection with the server name of that host.";
    REQUEST_MALFORMED = "request_malformed", 400, FINAL,
        "The request cannot be understood",
        "Its head breaks HTTP's rules, or it could be read in two ways.",
        "Send a well-formed HTTP request.";
    HEADERS_TOO_LARGE = "headers_too_large", 431, FINAL,
        "The request's head is too large",
        "There are too many header fields, or they are too long.",
        "Send fewer or shorter header fields.";
    HEADERS_TOO_SLOW = "headers_too_slow", 408, RETRY,
        "The request's head came too slowly",
        "It did not come whole within the time allowed.",
        "Send the request again.";
    TENANT_UNAVAILABLE = "tenant_unavailable", 502, RETRY,
        "The tenant's data plane is away",
        "Nothing answers behind the edge.",
        "Try again later; the operator should look at the tenant.";
    TENANT_TIMEOUT = "tenant_timeout", 504, RETRY,
        "The tenant's data plane took too long",
        "No answer came within the time allowed.",
        "Try again later.";
    TENANT_SUSPENDED = "tenant_suspended", 503, FINAL,
        "The tenant is suspended",
        "Its owner takes no requests for now; keys, log and state are kept.",
        "Ask the tenant's owner; it ends when spec.suspend of the Tenant is set to false.";
    TENANT_HIBERNATED = "tenant_hibernated", 503, FINAL,
        "The tenant hibernates",
        "Its owner stopped its programs; keys, log and state are kept.",
        "Ask the tenant's owner; it ends when spec.hibernate of the Tenant is set to false.";
    TENANT_TERMINATING = "tenant_terminating", 503, FINAL,
        "The tenant is being deleted",
        "It takes no new requests any more.",
        "Ask the tenant's owner where to go instead.";
    TENANT_STARTING = "tenant_starting", 503, RETRY,
        "The tenant's data plane is starting",
        "Its programs are being started.",
        "Try again in a moment; if it lasts, kubectl pavilion why says what it waits for.";
    DRAINING = "edge_draining", 503, RETRY,
        "The edge is stopping",
        "It cannot wait for the answer any longer.",
        "Try again; another edge or the restarted one will answer.";
}
