//! The faults. What one text of a file is replaced by, and what comes of it.

use std::fmt;

/// One fault.
pub struct Case {
    /// In a word.
    pub what: &'static str,
    /// In this file of the quickstart.
    pub file: &'static str,
    /// This is replaced ...
    pub right: &'static str,
    /// ... by this.
    pub wrong: &'static str,
    /// What comes of it.
    pub expected: Expected,
}

/// What comes of a fault.
pub enum Expected {
    /// The API server refuses it, and says this.
    Refused(&'static str),
    /// The object is there and not accepted.
    Condition {
        /// The object; the name of a Tenant is that of the test's.
        kind: &'static str,
        name: &'static str,
        reason: &'static str,
        /// In the message.
        says: &'static str,
    },
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(says) => write!(f, "refused, “{says}”"),
            Self::Condition { kind, reason, .. } => {
                write!(f, "{kind}: Accepted is False, {reason}")
            }
        }
    }
}

macro_rules! cases {
    ($($file:literal: $what:literal, $right:literal => $wrong:literal, $expected:expr;)*) => {
        [$(Case { what: $what, file: $file, right: $right, wrong: $wrong, expected: $expected },)*]
    };
}

const fn tenant(reason: &'static str, says: &'static str) -> Expected {
    on("Tenant", "", reason, says)
}

const fn shop(reason: &'static str, says: &'static str) -> Expected {
    on("RelyingParty", "shop", reason, says)
}

const fn over18(reason: &'static str, says: &'static str) -> Expected {
    on("Policy", "over18", reason, says)
}

const fn opening(reason: &'static str, says: &'static str) -> Expected {
    on("Policy", "account-opening", reason, says)
}

const fn on(
    kind: &'static str,
    name: &'static str,
    reason: &'static str,
    says: &'static str,
) -> Expected {
    Expected::Condition {
        kind,
        name,
        reason,
        says,
    }
}

use Expected::Refused;

/// All of them.
pub const CASES: [Case; 31] = cases! {
    "tenant.yaml": "no YAML", "spec:" => "spec: [", Refused("error converting YAML to JSON");
    "tenant.yaml": "an unknown kind", "kind: Tenant" => "kind: Tenent", Refused("no matches for kind \"Tenent\"");
    "tenant.yaml": "a field that is not there", "regions:" => "region:", Refused("unknown field \"spec.region\"");
    "policies.yaml": "a misspelt field", "  disclose: [pid.country]" => "  disclos: [pid.country]",
        Refused("unknown field \"spec.disclos\"");
    "tenant.yaml": "a text for a list", "regions: [here]" => "regions: here", Refused("spec.regions");
    "tenant.yaml": "a field that metadata does not have", "metadata:\n" => "metadata:\n  lables: {}\n",
        Refused("unknown field \"metadata.lables\"");
    "relying-party.yaml": "a name that is none", "name: shop" => "name: Shop_1", Refused("metadata.name");
    "tenant.yaml": "a region that is none", "[here]" => "[EU]", Refused("spec.regions[0]");
    "tenant.yaml": "a home that moves", "[here]" => "[us-east]", Refused("the home region cannot change");
    "tenant.yaml": "a duration that is none", "rotateEvery: 2160h" => "rotateEvery: often",
        Refused("spec.signing.rotateEvery");
    "tenant.yaml": "a key that retires before its last answer", "overlap: 168h" => "overlap: 5m",
        Refused("spec");
    "tenant.yaml": "a host twice", "hosts: [verify.manifests.localhost]"
        => "hosts: [verify.manifests.localhost, verify.manifests.localhost]", Refused("Duplicate value");
    "tenant.yaml": "a host that clients take for an address", "hosts: [verify.manifests.localhost]" => "hosts: [verify.manifests.1]",
        tenant("FieldInvalid", "spec.ingress.hosts[0]");
    "tenant.yaml": "a host that is no name", "hosts: [verify.manifests.localhost]" => "hosts: [xn--zz--]",
        Refused("spec.ingress.hosts[0]");
    "relying-party.yaml": "an object in no tenant's namespace", "namespace: pavilion-manifests"
        => "namespace: default", Refused("is no tenant's");
    "relying-party.yaml": "a policy that is not there", "policies: [over18, " => "policies: [over21, ",
        shop("ReferenceDangling", "there is no Policy over21 in pavilion-manifests");
    "relying-party.yaml": "purposes that no policy has", "account-opening]\n  policies" => "other]\n  policies",
        shop("PurposesDisjoint", "none of spec.purposes is a purpose of policy account-opening");
    "relying-party.yaml": "nobody to be", "    privateKeyJwt:" => "    privateKeyJwts:",
        Refused("unknown field \"spec.authentication.privateKeyJwts\"");
    "relying-party.yaml": "a private key", "          \"y\":" => "          d: AAAA\n          \"y\":",
        shop("KeySetInvalid", "private");
    "relying-party.yaml": "keys of another kind", "kty: EC" => "kty: RSA", shop("KeySetInvalid", "key");
    "relying-party.yaml": "a file, where there are none", "      jwks:\n        keys:" => "      jwksFile: x.json\n      jwks:\n        keys:",
        Refused("jwksFile");
    "trust-anchor.yaml": "an authority that is no certificate", "  assurance:"
        => "  - {x509: {caBundle: not PEM, sanDns: [a.example]}}\n  assurance:",
        on("TrustAnchor", "demo-issuers", "CertificateInvalid", "spec.issuers[1]");
    "trust-anchor.yaml": "a key in a name that is none", "  assurance:"
        => "  - {issuer: 'did:jwk:e30'}\n  assurance:",
        on("TrustAnchor", "demo-issuers", "KeySetInvalid", "spec.issuers[1]");
    "policies.yaml": "issuers that are not there", "trust: [demo-issuers]" => "trust: [demo]",
        over18("ReferenceDangling", "there is no TrustAnchor demo");
    "policies.yaml": "a claim that is not asked for", "rule: {claim: pid.birthdate" => "rule: {claim: pid.birthday",
        over18("ReferenceDangling", "evidence 'pid' has no claim 'birthday'");
    "policies.yaml": "a comparison that is none", "age: {atLeast: 18}}\n---" => "older: 18}\n---",
        over18("PolicyInvalid", "spec.rule");
    "policies.yaml": "a rule that is never met", "rule: {claim: pid.birthdate, age: {atLeast: 18}}\n---"
        => "rule: {all: [{claim: pid.birthdate, age: {atLeast: 18}}, {claim: pid.birthdate, age: {atMost: 10}}]}\n---",
        over18("ClauseNeverTrue", "spec.rule");
    "policies.yaml": "a rule that is nested too deeply", "rule: {claim: pid.birthdate, age: {atLeast: 18}}\n---"
        => "rule: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {not: {claim: pid.birthdate, age: {atLeast: 18}}}}}}}}}}}}}}}}}}}}}}\n---",
        over18("PolicyTooLarge", "spec.rule");
    "policies.yaml": "a credential that nobody is believed for", "types: [urn:example:eid:1]"
        => "types: [urn:example:passport:1]", opening("PolicyInvalid", "spec.evidence[2].types[0]");
    "policies.yaml": "a relying party that is not there", "    - {claim: pid.birthdate, age: {atLeast: 18}}\n"
        => "    - {claim: pid.birthdate, age: {atLeast: 18}}\n    - not: {relyingParty: {in: [shopp]}}\n",
        opening("ReferenceDangling", "there is no RelyingParty shopp");
    "tenant.yaml": "a tenant that another has the host of", "hosts: [verify.manifests.localhost]" => "hosts: [earlier.example]",
        tenant("HostClaimed", "earlier.example is already a host of Tenant earlier");
};
