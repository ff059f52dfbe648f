//! Replaces the fuzzer's functions that trace comparisons. Some targets have inputs without words
//! or numbers that the program compares. Tracing does not help there, and would take a third of the
//! time. `build.rs` links this file for them.

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
extern "C" fn __sanitizer_weak_hook_memcmp(
    _: *const u8,
    _: *const u8,
    _: *const u8,
    _: usize,
    _: i32,
) {
}
