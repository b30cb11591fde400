//! Codes about what may be asked and how the rule came out.

entries! { Policy;
    UNKNOWN = "policy_unknown", 404, FINAL,
        "There is no such policy",
        "The tenant has no policy of that name.",
        "Check the name with the tenant.";
    NOT_REGISTERED = "policy_not_registered", 403, FINAL,
        "The relying party may not ask this policy",
        "The policy exists but this relying party is not registered for it.",
        "Ask the tenant to register it.";
    PURPOSE_NOT_REGISTERED = "purpose_not_registered", 403, FINAL,
        "The purpose is not registered",
        "The purpose is not among those of the relying party and of the policy.",
        "Ask with a registered purpose.";
    OVER_ASKING = "over_asking", 403, FINAL,
        "The request asks for more than the policy discloses",
        "A requested claim is outside what the policy and the registration allow.",
        "Ask for fewer claims; the problem names the first that is too many.";
    EVIDENCE_WITH_REQUEST_REFUSED = "evidence_with_request_refused", 403, FINAL,
        "The policy does not take evidence with the question",
        "Its evidence must answer a nonce that the verifier handed out.",
        "Start the verification without presentations, then send the evidence for its nonce.";
    CLAUSE_NOT_MET = "clause_not_met", 0, FINAL,
        "A clause of the rule is not met",
        "The verified evidence does not satisfy this clause.",
        "See the clause's sentence for what it wants.";
    CLAUSE_UNDECIDED = "clause_undecided", 0, RETRY,
        "A clause of the rule could not be decided",
        "It depends on evidence whose status could not be established.",
        "Try again when the status can be established.";
    CLAIM_NOT_COMPARABLE = "claim_not_comparable", 0, FINAL,
        "A claim cannot be compared",
        "The claim is absent or of another type than the clause compares.",
        "Present a credential whose claim has the type the policy expects.";
    EVIDENCE_MISSING = "evidence_missing", 0, FINAL,
        "Required evidence was not presented",
        "The policy requires this evidence and none was sent.",
        "Present the evidence that the check names.";
    EVALUATION_ERROR = "policy_evaluation_error", 0, FINAL,
        "The policy could not be evaluated",
        "The engine reported an error; an error always denies.",
        "Tell the tenant's policy author; the operator's log names the policy.";
}
