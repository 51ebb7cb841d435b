#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| git_credential_gitlab::fuzzing::attributes(bytes));
