//! What the operator hands out is read whole, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_bundle::{Document, Named, RouteTable, TenantBundle};

fuzz_target!(|bytes: &[u8]| {
    let _ = Named::<TenantBundle>::read(bytes);
    if let Ok(table) = Named::<RouteTable>::read(bytes) {
        assert_eq!(table.document().seal().expect("a sealed table").0, bytes);
    }
});
