"""Which test shows that which fault of campaigns is survived. A test that is renamed or gone fails here."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

FAULTS: dict[int, tuple[str, dict[str, list[str]]]] = {
    11: (
        "two beats at once",
        {
            "campaigns/test_rounds.py": ["test_two_beats_at_once_make_one_round_and_one_message_each"],
            "campaigns/test_deciding.py": [
                "test_of_many_who_decide_about_one_page_at_once_each_row_is_somebodys"
            ],
            "campaigns/test_dispatch_claims.py": ["test_a_batch_is_claimed_at_once_and_by_one_sender"],
        },
    ),
    12: (
        "beat down for three days",
        {
            "faults/test_workers.py": ["test_an_outage_of_days_is_made_good_or_settled_with_a_reason"],
            "campaigns/test_occasions.py": ["test_every_birthday_is_settled_once_however_long_the_outages"],
            "campaigns/test_rounds.py": [
                "test_a_schedule_goes_out_on_each_of_its_dates_and_after_an_outage_once"
            ],
            "campaigns/test_triggers.py": [
                "test_an_outage_is_made_good_within_the_look_back_and_told_of_after_it"
            ],
            "campaigns/test_inactivity.py": [
                "test_an_outage_is_made_good_within_the_look_back_and_told_of_after_it"
            ],
        },
    ),
    13: (
        "a task delivered five times",
        {
            "faults/test_workers.py": ["test_five_deliveries_to_two_workers_greet_once"],
            "campaigns/test_birthdays.py": ["test_a_repeated_tick_changes_nothing"],
            "campaigns/test_awards.py": ["test_giving_again_for_the_same_messages_gives_nothing_more"],
            "campaigns/test_dispatch.py": ["test_a_second_round_sends_nothing_again"],
        },
    ),
    15: (
        "killed between the mail server's acceptance and the mark",
        {
            "faults/test_sending.py": ["test_a_sender_killed_at_any_point"],
            "faults/test_campaign_to_many.py": ["test_killed_three_times_and_redis_emptied_once"],
            "campaigns/test_dispatch_claims.py": [
                "test_of_a_dead_senders_claim_only_the_first_without_a_mark_is_unclear",
                "test_where_the_policy_says_so_the_unclear_one_is_sent_again_but_not_for_ever",
            ],
        },
    ),
    16: (
        "the mail server answers 4xx, 5xx, hangs",
        {
            "campaigns/test_dispatch.py": [
                "test_a_passing_refusal_is_tried_again_with_growing_pauses_and_then_given_up",
                "test_a_final_refusal_fails_at_once_and_the_next_message_goes_out",
                "test_a_connection_lost_before_the_text_is_tried_again",
                "test_a_connection_lost_after_the_text_leaves_the_outcome_unknown",
            ],
        },
    ),
    17: (
        "one poisoned row in a batch",
        {
            "campaigns/test_dispatch.py": [
                "test_one_message_that_cannot_be_written_does_not_hold_up_the_others",
                "test_a_message_that_the_channel_chokes_on_does_not_hold_up_the_others",
            ],
            "campaigns/test_deciding.py": [
                "test_a_candidate_that_cannot_be_written_down_costs_the_others_nothing"
            ],
            "campaigns/test_birthdays.py": ["test_one_poisoned_member_does_not_stop_the_others"],
        },
    ),
    39: (
        "29 February, UTC+14 and -12, the turn of the year",
        {
            "campaigns/test_occasions.py": [
                "test_a_leap_day_is_kept_on_28_february_in_common_years",
                "test_every_birthday_is_settled_once_however_long_the_outages",
            ],
            "campaigns/test_birthdays.py": ["test_the_day_begins_where_the_member_lives"],
            "campaigns/test_rounds.py": [
                "test_at_each_members_own_time_it_starts_with_the_first_clock_on_earth"
            ],
        },
    ),
    40: (
        "birthday or time zone changed after sending",
        {
            "campaigns/test_birthdays.py": [
                "test_a_birthday_moved_after_the_gift_brings_no_second_one",
                "test_a_time_zone_moved_across_new_year_brings_no_second_gift",
            ],
            "campaigns/test_occasions.py": [
                "test_ticks_with_changing_birthdays_zones_and_outages_never_give_twice"
            ],
        },
    ),
    41: (
        "opt-out between queueing and sending",
        {
            "campaigns/test_dispatch_recheck.py": [
                "test_an_opt_out_between_queueing_and_sending_is_respected",
                "test_an_address_that_bounced_since_is_not_written_to",
            ]
        },
    ),
    42: (
        "message cap reached by parallel campaigns",
        {
            "campaigns/test_deciding.py": ["test_parallel_campaigns_never_exceed_a_members_cap_between_them"],
            "campaigns/policy/test_caps.py": ["test_no_sequence_of_messages_ever_exceeds_a_limit"],
        },
    ),
    43: (
        "quiet hours across midnight",
        {
            "campaigns/test_deciding.py": [
                "test_a_message_held_over_midnight_goes_out_once_when_the_night_ends"
            ],
            "campaigns/policy/test_quiet.py": ["test_a_night_across_midnight_is_one_stretch_everywhere"],
        },
    ),
    44: (
        "unsubscribe by GET, by POST, forged",
        {
            "campaigns/test_unsubscribing.py": [
                "test_looking_changes_nothing",
                "test_one_click_of_a_mail_program_stops_them_at_once",
                "test_a_forged_link_is_refused_and_nothing_is_written",
            ]
        },
    ),
    45: (
        "bounce repeated, forged",
        {
            "campaigns/test_feedback.py": ["test_a_repeated_notice_is_taken_once"],
            "campaigns/test_hooks.py": [
                "test_a_forged_notice_is_refused_and_nothing_is_written",
                "test_a_signed_bounce_is_taken_once",
                "test_a_forged_signature_is_refused",
            ],
        },
    ),
    60: (
        "templates with attribute tricks, huge loops, HTML",
        {
            "campaigns/rendering/test_liquid.py": [
                "test_attributes_of_values_are_not_there",
                "test_endless_work_ends_in_a_bounded_error",
                "test_html_escapes_whatever_a_filter_leaves",
            ],
            "campaigns/rendering/test_render.py": ["test_no_name_gets_out_of_its_place_or_breaks_anything"],
        },
    ),
    62: (
        "CR LF in a name",
        {
            "campaigns/test_dispatch.py": [
                "test_a_line_break_in_a_name_makes_no_header_and_no_second_recipient"
            ],
            "campaigns/rendering/test_render.py": [
                "test_a_name_with_line_ends_makes_one_header_to_one_recipient"
            ],
            "campaigns/channels/test_email.py": ["test_line_breaks_in_a_name_add_no_header"],
        },
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_has_its_tests(fault: int) -> None:
    _words, files = FAULTS[fault]
    missing = {
        path: gone for path, names in files.items() if (gone := sorted(set(names) - named_in(TESTS / path)))
    }
    assert missing == {}


def named_in(path: Path) -> set[str]:
    """The tests of a file that are not skipped."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            marks = {ast.unparse(mark).partition("(")[0] for mark in node.decorator_list}
            if not marks & {"pytest.mark.skip", "pytest.mark.xfail"}:
                found.add(node.name)
    return found
