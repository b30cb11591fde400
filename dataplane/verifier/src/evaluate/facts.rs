//! What the policy engine is told: only what it asks for, only of what counts.

use pavilion_policy::{Assurance, Evidence, Fact, Facts, Policy};
use pavilion_proofs::Verified;
use pavilion_proofs::sd_jwt::Credential;

use super::examine::{Judged, Standing};

/// The facts of a verification; evidence that was not presented is missing from them.
pub(super) fn of(judged: &[Judged], policy: &Policy) -> Facts {
    let facts = judged.iter().filter_map(|one| {
        let wanted = policy.evidence(&one.evidence)?;
        Some((one.evidence.clone(), fact(one, wanted)))
    });
    Facts(facts.collect())
}

fn fact(judged: &Judged, wanted: &Evidence) -> Fact {
    match (&judged.standing, &judged.known) {
        (Standing::Good, Some(known)) => verified(&known.credential, wanted),
        (Standing::Unknown(finding), _) => Fact::Indeterminate {
            code: finding.entry.code,
        },
        (Standing::Bad(finding), _) => Fact::Failed {
            code: finding.entry.code,
        },
        (Standing::Good, None) => Fact::Missing,
    }
}

/// Takes the mark of verification off: policies know nothing of proofs, so this is the one place
/// where a verified fact is made, and it is made of nothing else.
fn verified(credential: &Verified<Credential>, wanted: &Evidence) -> Fact {
    let claims = wanted.claims.iter().filter_map(|claim| {
        let value = claim.select(&credential.claims)?;
        Some((claim.id.clone(), value))
    });
    Fact::Verified {
        issuer: credential.issuer.clone(),
        credential_type: credential.credential_type.clone(),
        issued_at: credential.issued_at,
        assurance: credential.assurance.map(assurance),
        claims: claims.collect(),
    }
}

fn assurance(level: pavilion_proofs::Assurance) -> Assurance {
    match level {
        pavilion_proofs::Assurance::Low => Assurance::Low,
        pavilion_proofs::Assurance::Substantial => Assurance::Substantial,
        pavilion_proofs::Assurance::High => Assurance::High,
    }
}
