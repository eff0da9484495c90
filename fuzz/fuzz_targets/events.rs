//! Any bytes as a Lambda event: `cargo +nightly fuzz run events fuzz/corpus/events events/function-url`.

#![no_main]

use faregate_lambda::event::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let _ = decode(payload);
});
