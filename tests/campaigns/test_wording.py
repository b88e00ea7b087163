"""Staff's words: filled in one pass, never executed, and fit for a header."""

from campaigns import wording
from campaigns.models import Campaign


def filled(text: str, first_name: str = "Aino", points: str = "100") -> str:
    return wording.fill(text, first_name=first_name, points=points)


def test_only_the_named_places_are_filled() -> None:
    assert filled("Hi {first_name}: {points} points") == "Hi Aino: 100 points"


def test_attribute_tricks_and_unknown_places_stay_text() -> None:
    text = "{first_name.__class__} {0} {} {settings} %(points)s {{points}} ${points}"
    assert filled(text) == "{first_name.__class__} {0} {} {settings} %(points)s {100} $100"


def test_a_name_that_looks_like_a_place_stays_text() -> None:
    assert filled("Hi {first_name}", first_name="{points}") == "Hi {points}"


def test_an_unknown_name_leaves_no_gap() -> None:
    assert filled("Hyvää syntymäpäivää, {first_name}!", first_name=" ") == "Hyvää syntymäpäivää!"
    assert filled("Hei {first_name}!", first_name="") == "Hei!"


def test_line_breaks_and_control_characters_never_reach_a_header() -> None:
    assert (
        wording.one_line("Happy\r\nBcc: all@example.com\x00\u2028 day\t!")
        == "Happy Bcc: all@example.com day !"
    )
    assert len(wording.one_line("x" * 500)) == 200


def test_points_are_written_as_the_language_writes_numbers() -> None:
    campaign = Campaign(
        subjects={"fi": "Onnea {first_name}", "en": "Congratulations"},
        bodies={"fi": "{points} pistettä", "en": "{points} points"},
    )
    assert wording.greeting(campaign, language="fi", first_name="Aino", points=12500) == (
        "Onnea Aino",
        "12\xa0500 pistettä",
    )
    assert wording.greeting(campaign, language="en", first_name="Aino", points=12500) == (
        "Congratulations",
        "12\xa0500 points",
    )
    assert wording.greeting(campaign, language="sv", first_name="Aino", points=0)[0] == "Onnea Aino"
