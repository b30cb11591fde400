//! A chunked body ends at the same byte however it is cut, and nothing after its end belongs to it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pavilion_router::http1::Chunked;

/// Where the body ends: `Ok(None)` if it does not, `Err` if it is framed wrongly.
fn end(bytes: &[u8], length: usize) -> Result<Option<usize>, ()> {
    let mut chunked = Chunked::default();
    let mut total = 0;
    for piece in bytes.chunks(length) {
        let part = chunked.follow(piece).map_err(drop)?;
        total += part.length;
        if part.done {
            return Ok(Some(total));
        }
        assert_eq!(part.length, piece.len());
    }
    Ok(None)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = end(bytes, bytes.len().max(1));
    assert_eq!(end(bytes, 1), whole);
    assert_eq!(end(bytes, 5), whole);
    if let Ok(Some(length)) = whole {
        assert!(bytes[..length].ends_with(b"\r\n"));
        assert_eq!(end(&bytes[..length], length), Ok(Some(length)));
        assert_eq!(end(&bytes[..length - 1], length), Ok(None));
    }
});
