//! What a Region may say.

use pavilion_crds::{Kind, admission::Fault};
use serde_json::json;

use crate::objects::{faults, refused, region, tenant, with};

#[test]
fn a_jurisdiction_is_a_country_or_the_union() {
    for known in ["DE", "CH", "EU", "GB"] {
        let object = with(region(), "/spec/jurisdiction", json!(known));
        assert_eq!(faults(Kind::Region, &object), [], "{known}");
    }
    for unknown in ["UK", "de", "ZZ", "XX"] {
        let object = with(region(), "/spec/jurisdiction", json!(unknown));
        refused(Kind::Region, &object, "spec.jurisdiction", Fault::Rule);
        let object = with(
            tenant(),
            "/spec/residency",
            json!({"jurisdictions": ["DE", unknown]}),
        );
        let path = "spec.residency.jurisdictions[1]";
        refused(Kind::Tenant, &object, path, Fault::Rule);
    }
}

#[test]
fn a_region_is_named_as_tenants_name_it_and_has_an_address_that_leads_somewhere() {
    let object = with(region(), "/metadata/name", json!("eu.central"));
    assert_eq!(faults(Kind::Region, &object).len(), 1);
    for fine in [
        "https://edge.example",
        "https://10.0.0.1:8443",
        "https://a:65535",
    ] {
        let object = with(region(), "/spec/endpoint", json!(fine));
        assert_eq!(faults(Kind::Region, &object), [], "{fine}");
    }
    for bad in [
        "http://edge.example",
        "edge.example",
        "https://edge.example/path",
        "https://edge.example:0",
        "https://user@edge.example",
    ] {
        let object = with(region(), "/spec/endpoint", json!(bad));
        refused(Kind::Region, &object, "spec.endpoint", Fault::OutOfBounds);
    }
    for bad in [json!("GDPR law"), json!(""), json!("-")] {
        let object = with(region(), "/spec/regimes", json!([bad]));
        refused(Kind::Region, &object, "spec.regimes[0]", Fault::OutOfBounds);
    }
}
