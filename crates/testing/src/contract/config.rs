//! `SnapshotStore`, `ConfigStore` and `ConfigWriter`.

mod chunks;
mod entries;
mod failures;
mod heads;
mod locks;
mod status;

pub use chunks::{
    chunks_come_in_order_of_their_number, chunks_larger_than_a_page_come_back_whole,
    deleting_chunks_leaves_those_of_other_hashes,
};
pub use entries::{
    an_entry_is_replaced_whole_and_deleted, binary_and_machine_written_entries_are_refused,
    entries_come_back_in_order_as_they_were_written, entries_larger_than_a_page_come_back_whole,
    integral_numbers_come_back_as_integers, machine_written_items_are_no_entries,
};
pub use failures::{a_store_that_is_down_is_unavailable, an_absent_table_is_rejected};
pub use heads::{
    a_flip_keeps_the_head_and_makes_it_current, a_flip_of_an_unreadable_head_writes_each_version_once,
    a_flip_with_another_expectation_writes_nothing, a_head_is_deleted_alone, heads_come_newest_first,
    of_twenty_flips_at_once_one_wins,
};
pub use locks::{
    a_lock_is_free_when_it_expires, a_lock_keeps_others_out_and_its_holder_renews_it,
    of_twenty_takers_one_gets_the_lock, only_its_holder_gives_a_lock_back,
};
pub use status::{an_empty_table_holds_nothing, the_status_comes_back_as_it_was_written};

/// Makes a test of each promise of the Config table's ports.
///
/// The argument is an async function that yields a [`Subject`](super::Subject) of `dyn ConfigWriter`; with
/// `on` and the type of a server it gets that and a check's name, and there is one function `all` for all promises.
#[macro_export]
macro_rules! config_contract {
    ($start:path $(, on $server:ty)?) => {
        $crate::contract_tests!(
            config,
            $start $(, on $server)?;
            a_flip_keeps_the_head_and_makes_it_current,
            a_flip_of_an_unreadable_head_writes_each_version_once,
            a_flip_with_another_expectation_writes_nothing,
            a_head_is_deleted_alone,
            a_lock_is_free_when_it_expires,
            a_lock_keeps_others_out_and_its_holder_renews_it,
            an_empty_table_holds_nothing,
            an_entry_is_replaced_whole_and_deleted,
            binary_and_machine_written_entries_are_refused,
            chunks_come_in_order_of_their_number,
            chunks_larger_than_a_page_come_back_whole,
            deleting_chunks_leaves_those_of_other_hashes,
            entries_come_back_in_order_as_they_were_written,
            entries_larger_than_a_page_come_back_whole,
            heads_come_newest_first,
            integral_numbers_come_back_as_integers,
            machine_written_items_are_no_entries,
            of_twenty_flips_at_once_one_wins,
            of_twenty_takers_one_gets_the_lock,
            only_its_holder_gives_a_lock_back,
            the_status_comes_back_as_it_was_written,
        );
    };
}
