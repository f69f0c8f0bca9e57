//! Fuzzing of whatever meets foreign bytes. Each target is one function of any bytes that says what must hold of them; it
//! starts from real inputs, mostly the captured callbacks, and bends them.
//!
//! A plain `cargo test` gives each target a second; `make fuzz` gives it `KAMID_FUZZ_SECONDS`. What a failure shows
//! becomes one more seed of its target once it is mended, so that it is tried ever after. `fuzz/` gives the same targets to
//! libFuzzer, which is led by what code an input reaches.

mod callbacks;
mod captures;
pub mod drive;
mod fleet;
mod forwarded;
mod genuine;
mod keys;
mod kinds;
mod params;
mod settings;
mod signed;
mod words;

macro_rules! targets {
    ($($module:ident::$name:ident,)*) => {
        /// Every target, by the name of its test.
        pub const ALL: &[(&str, fn() -> drive::Target)] = &[$((stringify!($name), $module::$name)),*];
        $(#[test]
        fn $name() {
            drive::run(&$module::$name());
        })*
    };
}

targets! {
    callbacks::a_callback_that_was_not_signed_is_never_believed,
    callbacks::a_sandbox_callback_that_was_not_signed_is_never_believed,
    callbacks::a_gateways_answer_is_a_payment_only_where_it_says_so,
    captures::a_capture_is_replayed_or_refused,
    fleet::a_strangers_snapshot_fills_no_memory_and_is_one_line,
    fleet::a_histogram_is_ours_or_none,
    forwarded::a_stranger_cannot_choose_his_address,
    keys::a_file_of_keys_is_imported_whole_and_each_key_once,
    kinds::what_no_gateway_signed_is_believed_by_no_kind,
    params::parameters_are_read_as_they_stand_or_refused_with_cause,
    settings::any_text_is_a_configuration_or_a_list_of_problems_without_secrets,
    signed::a_signed_callback_says_what_it_says,
    signed::a_signed_sandbox_callback_says_what_it_says,
    words::an_id_is_read_whole_or_not_at_all,
    words::an_amount_is_exact_or_refused,
}

#[test]
fn every_target_has_its_name() {
    let names: std::collections::HashSet<_> = ALL.iter().map(|(_, target)| target().name).collect();
    assert_eq!(names.len(), ALL.len());
}
