#![no_main]

use std::path::Path;

#[path = "../checks/mod.rs"]
mod checks;

/// What the fuzzer learns by watching comparisons are words and numbers to try. No input of lanes has any, and a third of the
/// time would go there: so these stand in for the fuzzer's own (`build.rs` lets them).
macro_rules! untraced {
    ($($name:ident: $number:ty),* $(,)?) => {
        $(#[unsafe(no_mangle)] extern "C" fn $name(_: $number, _: $number) {})*
    };
}

untraced! {
    __sanitizer_cov_trace_cmp1: u8,
    __sanitizer_cov_trace_cmp2: u16,
    __sanitizer_cov_trace_cmp4: u32,
    __sanitizer_cov_trace_cmp8: u64,
    __sanitizer_cov_trace_const_cmp1: u8,
    __sanitizer_cov_trace_const_cmp2: u16,
    __sanitizer_cov_trace_const_cmp4: u32,
    __sanitizer_cov_trace_const_cmp8: u64,
}

#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_switch(_: u64, _: *const u64) {}

#[unsafe(no_mangle)]
extern "C" fn __sanitizer_weak_hook_memcmp(_: *const u8, _: *const u8, _: *const u8, _: usize, _: i32) {}

libfuzzer_sys::fuzz_target!(
    init: checks::seeds::write_if_asked("lanes", Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger-spec"))),
    |input: &[u8]| checks::lanes::check_in_shares(input)
);
