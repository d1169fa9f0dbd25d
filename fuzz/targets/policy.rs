//! A policy file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trailkeep_policy::Policy;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Err(error) = Policy::parse(text) {
        assert!(!error.0.is_empty(), "what is refused has a reason");
    }
});
