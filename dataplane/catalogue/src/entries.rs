//! The entries, a folder of modules with one an area.

use crate::Entry;

/// Declares the constants of one area and their list.
macro_rules! entries {
    ($area:ident; $($name:ident = $code:literal, $status:literal, $retry:ident,
        $title:literal, $meaning:literal, $hint:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`: ", $meaning)]
            pub const $name: crate::Entry = crate::Entry {
                code: $code,
                area: crate::Area::$area,
                status: $status,
                title: $title,
                meaning: $meaning,
                hint: $hint,
                retryable: crate::entries::$retry,
            };
        )*
        pub(crate) const ENTRIES: &[&crate::Entry] = &[$(&$name),*];
    };
}

/// Marks entries after which the same request may succeed without a change.
const RETRY: bool = true;
/// Marks entries after which something must change first.
const FINAL: bool = false;

pub mod edge;
pub mod host;
pub mod log;
pub mod manifest;
pub mod policy;
pub mod presentation;
pub mod request;
pub mod signer;
pub mod status;
pub mod token;
pub mod verify;

/// How many entries there are.
const COUNT: usize = request::ENTRIES.len()
    + token::ENTRIES.len()
    + policy::ENTRIES.len()
    + presentation::ENTRIES.len()
    + status::ENTRIES.len()
    + log::ENTRIES.len()
    + signer::ENTRIES.len()
    + edge::ENTRIES.len()
    + verify::ENTRIES.len()
    + manifest::ENTRIES.len()
    + host::ENTRIES.len();

/// All areas' entries, joined at compile time.
const JOINED: [&Entry; COUNT] = {
    let areas: [&[&Entry]; 11] = [
        request::ENTRIES,
        token::ENTRIES,
        policy::ENTRIES,
        presentation::ENTRIES,
        status::ENTRIES,
        log::ENTRIES,
        signer::ENTRIES,
        edge::ENTRIES,
        verify::ENTRIES,
        manifest::ENTRIES,
        host::ENTRIES,
    ];
    let mut joined = [areas[0][0]; COUNT];
    let (mut area, mut next) = (0, 0);
    while area < areas.len() {
        let mut index = 0;
        while index < areas[area].len() {
            joined[next] = areas[area][index];
            next += 1;
            index += 1;
        }
        area += 1;
    }
    joined
};

/// Every entry, area by area.
pub const ALL: &[&Entry] = &JOINED;
