//! Whose law holds at a place.
//!
//! A country by its code of ISO 3166-1, or the European Union by the code that ISO reserves for it: as the
//! W3C's Data Privacy Vocabulary names locations, and as trusted lists name territories (ETSI TS 119 612).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::written::shown;

/// A country of ISO 3166-1 (alpha-2, upper case), or `EU`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jurisdiction(String);

/// The European Union.
const UNION: &str = "EU";

/// The member states of the Union since 1 February 2020.
const MEMBER_STATES: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// ISO 3166-1 alpha-2 as officially assigned, and `EU`, as a rule of a schema.
const IS_KNOWN: &str = "self in ['EU', \
     'AD', 'AE', 'AF', 'AG', 'AI', 'AL', 'AM', 'AO', 'AQ', 'AR', 'AS', 'AT', 'AU', 'AW', 'AX', 'AZ', \
     'BA', 'BB', 'BD', 'BE', 'BF', 'BG', 'BH', 'BI', 'BJ', 'BL', 'BM', 'BN', 'BO', 'BQ', 'BR', 'BS', \
     'BT', 'BV', 'BW', 'BY', 'BZ', 'CA', 'CC', 'CD', 'CF', 'CG', 'CH', 'CI', 'CK', 'CL', 'CM', 'CN', \
     'CO', 'CR', 'CU', 'CV', 'CW', 'CX', 'CY', 'CZ', 'DE', 'DJ', 'DK', 'DM', 'DO', 'DZ', 'EC', 'EE', \
     'EG', 'EH', 'ER', 'ES', 'ET', 'FI', 'FJ', 'FK', 'FM', 'FO', 'FR', 'GA', 'GB', 'GD', 'GE', 'GF', \
     'GG', 'GH', 'GI', 'GL', 'GM', 'GN', 'GP', 'GQ', 'GR', 'GS', 'GT', 'GU', 'GW', 'GY', 'HK', 'HM', \
     'HN', 'HR', 'HT', 'HU', 'ID', 'IE', 'IL', 'IM', 'IN', 'IO', 'IQ', 'IR', 'IS', 'IT', 'JE', 'JM', \
     'JO', 'JP', 'KE', 'KG', 'KH', 'KI', 'KM', 'KN', 'KP', 'KR', 'KW', 'KY', 'KZ', 'LA', 'LB', 'LC', \
     'LI', 'LK', 'LR', 'LS', 'LT', 'LU', 'LV', 'LY', 'MA', 'MC', 'MD', 'ME', 'MF', 'MG', 'MH', 'MK', \
     'ML', 'MM', 'MN', 'MO', 'MP', 'MQ', 'MR', 'MS', 'MT', 'MU', 'MV', 'MW', 'MX', 'MY', 'MZ', 'NA', \
     'NC', 'NE', 'NF', 'NG', 'NI', 'NL', 'NO', 'NP', 'NR', 'NU', 'NZ', 'OM', 'PA', 'PE', 'PF', 'PG', \
     'PH', 'PK', 'PL', 'PM', 'PN', 'PR', 'PS', 'PT', 'PW', 'PY', 'QA', 'RE', 'RO', 'RS', 'RU', 'RW', \
     'SA', 'SB', 'SC', 'SD', 'SE', 'SG', 'SH', 'SI', 'SJ', 'SK', 'SL', 'SM', 'SN', 'SO', 'SR', 'SS', \
     'ST', 'SV', 'SX', 'SY', 'SZ', 'TC', 'TD', 'TF', 'TG', 'TH', 'TJ', 'TK', 'TL', 'TM', 'TN', 'TO', \
     'TR', 'TT', 'TV', 'TW', 'TZ', 'UA', 'UG', 'UM', 'US', 'UY', 'UZ', 'VA', 'VC', 'VE', 'VG', 'VI', \
     'VN', 'VU', 'WF', 'WS', 'YE', 'YT', 'ZA', 'ZM', 'ZW']";

impl Jurisdiction {
    /// Whether the law of `whole` holds here: it is the same, or the Union that this country is a member of. A
    /// place that is only known to be somewhere in the Union lies in none of its countries.
    pub fn lies_in(&self, whole: &Self) -> bool {
        self == whole || (whole.0 == UNION && MEMBER_STATES.contains(&self.0.as_str()))
    }
}

impl fmt::Display for Jurisdiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

shown!(Jurisdiction, {
    "type": "string",
    "minLength": 2,
    "maxLength": 2,
    "x-kubernetes-validations": [{
        "rule": IS_KNOWN,
        "message": "must be a country of ISO 3166-1 (alpha-2, like DE), or EU",
    }],
});

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str) -> Jurisdiction {
        Jurisdiction(code.to_owned())
    }

    #[test]
    fn the_law_of_the_union_holds_in_its_members_and_not_the_other_way_round() {
        assert!(of("DE").lies_in(&of("EU")) && of("DE").lies_in(&of("DE")));
        assert!(of("EU").lies_in(&of("EU")));
        for (place, whole) in [
            ("EU", "DE"),
            ("CH", "EU"),
            ("NO", "EU"),
            ("GB", "EU"),
            ("FR", "DE"),
        ] {
            assert!(!of(place).lies_in(&of(whole)), "{place} in {whole}");
        }
    }

    #[test]
    fn every_member_of_the_union_is_a_country() {
        for state in MEMBER_STATES {
            assert!(IS_KNOWN.contains(&format!("'{state}'")), "{state}");
        }
        assert_eq!(
            IS_KNOWN.matches(',').count() + 1,
            250,
            "249 countries and the Union"
        );
    }
}
