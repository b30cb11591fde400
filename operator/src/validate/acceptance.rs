//! What a verifier would refuse of a bundle is refused here, before it takes the place of the last
//! good one on disk: a verifier that is started again then still finds one that it takes.

use std::collections::BTreeMap;

use pavilion_bundle::{Document, Named, RelyingParty, TenantBundle, TenantName};
use pavilion_catalogue::manifest;
use pavilion_json::Digest;
use pavilion_policy::{Engine, RpRules};
use pavilion_proofs::PreparedAnchors;

use crate::{desired::Desired, manifests::ManifestSet, object_key::ObjectKey, refusal::Refusal};

/// Holds every bundle that is other than the one in force against what its reader demands.
pub fn refused_by_data_plane(
    set: &ManifestSet,
    desired: &Desired,
    in_force: &BTreeMap<TenantName, Digest>,
) -> Vec<Refusal> {
    let tenants = desired.tenants.iter();
    tenants
        .filter_map(|(name, tenant)| {
            let known = in_force.get(name);
            let why = unfit(&tenant.bundle, known).err()?;
            let message = format!("its data plane would refuse it: {why}");
            let key = ObjectKey::tenant(name.as_str());
            let object = set.objects.iter().find(|object| object.key == key);
            Some(match object {
                Some(object) => object.refuse("", &manifest::BUNDLE_REFUSED, message),
                None => Refusal::of_file("", &manifest::BUNDLE_REFUSED, message),
            })
        })
        .collect()
}

/// Reads the bundle as a verifier does: within limits, valid, and every part of it usable.
fn unfit(bundle: &TenantBundle, in_force: Option<&Digest>) -> Result<(), String> {
    let (bytes, digest) = bundle.seal().map_err(|error| error.to_string())?;
    if in_force == Some(&digest) {
        return Ok(());
    }
    let read = Named::<TenantBundle>::read(&bytes).map_err(|error| error.to_string())?;
    let bundle = read.document();
    let policies = bundle.policies.iter();
    let policies = policies.map(|(name, revision)| (name.as_str(), &revision.policy));
    let parties: Vec<_> = bundle
        .relying_parties
        .iter()
        .map(|(name, party)| (name.as_str(), rules(party)))
        .collect();
    Engine::build(policies, parties.iter().map(|(name, rules)| (*name, rules)))
        .map_err(|error| error.to_string())?;
    let anchors = bundle.trust_anchors.iter();
    let anchors: BTreeMap<String, _> = anchors
        .map(|(name, anchor)| (name.to_string(), anchor.clone()))
        .collect();
    PreparedAnchors::new(&anchors).map_err(|error| error.to_string())?;
    Ok(())
}

fn rules(party: &RelyingParty) -> RpRules {
    RpRules {
        purposes: party.purposes.clone(),
        policies: party.policies.iter().map(ToString::to_string).collect(),
        obligations: party.obligations.clone(),
    }
}
