//! One suite, each engine.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod claims;
mod commit;
mod copies;
mod fixture;
mod inbox;
mod ledgers;
mod lookups;
mod random;
mod random_vault;
mod runs;
mod sums;
mod values;
mod vault;

use fixture::Fixture;

/// A module for each engine, a test in it for each case.
macro_rules! suite {
    ($($cases:ident: $($case:ident),*;)*) => {
        mod sqlite {
            $(mod $cases {
                $(#[test]
                fn $case() {
                    crate::$cases::$case(&crate::Fixture::sqlite());
                })*
            })*
        }
        mod memory {
            $(mod $cases {
                $(#[test]
                fn $case() {
                    crate::$cases::$case(&crate::Fixture::memory());
                })*
            })*
        }
    };
}

suite! {
    claims:
        one_process_has_a_shard,
        what_was_taken_goes_with_its_holder,
        nothing_is_written_without_a_claim,
        the_old_owner_is_fenced_after_a_take;
    commit:
        all_of_three_ledgers_or_nothing,
        another_size_is_fenced_and_writes_nothing,
        a_row_that_breaks_a_rule_takes_the_whole_commit_with_it,
        claims_count_their_commits,
        an_unknown_outcome_leaves_no_claim,
        a_ledger_is_made_with_its_first_entries;
    ledgers:
        statements_are_read_back,
        restrictions_are_lifted_once,
        ids_that_went_are_remembered_and_forgotten,
        payloads_go_and_are_sealed_anew,
        events_are_read_together,
        anchored_heads_keep_the_newest_note,
        rows_beyond_the_end_are_found;
    values:
        values_go_with_their_last_event,
        a_re_encrypted_payload_refers_to_nothing,
        what_refers_to_a_value_that_is_gone_is_not_written,
        a_copy_has_the_values_of_its_events,
        a_number_that_is_given_again_is_copied_again;
    runs:
        a_run_is_there_when_it_is_whole,
        leftovers_of_a_crash_go,
        blocks_are_found_in_both_orders,
        deleted_rows_make_the_filter_stale,
        new_runs_take_the_place_of_the_old;
    lookups:
        merged_runs_find_what_the_active_run_found,
        few_events_are_active_however_long_merges_take,
        what_is_added_and_removed_beside_merges_is_found_once,
        leftovers_go_in_the_background_and_before_rows_are_removed,
        a_newest_run_without_rows_stays,
        who_finds_an_event_sees_it_published,
        many_ledgers_hold_few_events_in_memory,
        what_is_removed_beside_runs_is_not_found,
        a_rebuilt_index_holds_the_same;
    sums:
        sums_are_those_of_the_rows_that_look_ups_find,
        a_row_that_no_look_up_comes_to_is_noticed;
    vault:
        nothing_is_written_before_the_rows_are_guarded,
        one_key_takes_a_slot,
        a_retired_key_frees_its_slot,
        no_row_of_an_ended_epoch_is_written,
        a_rewrap_leaves_what_changed_meanwhile,
        a_statement_applies_whole,
        a_ledger_that_was_never_made_goes_whole,
        only_changes_count;
    inbox:
        a_part_comes_once,
        a_trace_is_due_by_its_root_or_its_first_part,
        parts_are_read_up_to_a_size,
        a_round_is_taken_whole;
    copies:
        a_copy_of_ledgers_grows_and_loses_what_went,
        a_copy_is_up_to_its_heads,
        a_copy_of_the_vault_is_what_it_was,
        a_vault_of_another_directory_is_refused;
    random:
        ledgers_are_as_the_model_says,
        lookups_are_as_the_model_says;
    random_vault:
        the_vault_is_as_the_model_says,
        the_inbox_is_as_the_model_says;
}
