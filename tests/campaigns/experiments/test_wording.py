"""What may be said of a campaign's result, in words."""

import dataclasses
import datetime as dt
from collections.abc import Iterator

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from pytest_django import Settings

from campaigns.experiments import wording
from campaigns.experiments.figures import Comparison, Figures, Side, Verdict
from campaigns.experiments.statistics import Share, difference_of_shares, wilson
from campaigns.experiments.wording import Shown, show
from campaigns.models import CampaignResult

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 6, 15, 9, tzinfo=dt.UTC)
TREATED, HELD = Share(600, 10_000), Share(100, 2_000)


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def side(code: str, share: Share) -> Side:
    return Side(
        code=code,
        name="",
        members=share.of,
        reached=share.of,
        opened=0,
        clicked=0,
        conversions=share.hits,
        rate=share.rate,
        rate_interval=wilson(share),
        revenue=0.0,
        revenue_each=0.0,
        cost=0.0,
    )


def figures(verdict: Verdict, treated: Share = TREATED) -> Figures:
    rate = difference_of_shares(treated, HELD)
    lift = Comparison(
        code="treated",
        rate=rate,
        revenue_each=None,
        incremental=rate.value * treated.of if rate else None,
        incremental_interval=rate.interval.times(treated.of) if rate else None,
        revenue=None,
        revenue_interval=None,
        margin=None,
        cost=12.5,
        profit=None,
        roi=None,
        needed=40_000,
    )
    return Figures(
        computed_at=AT,
        goal="purchase",
        goal_days=14,
        verdict=verdict,
        treated=side("treated", treated),
        held_out=side("held_out", HELD),
        variants=(side("A", treated),),
        lift=lift,
        against_held_out=(dataclasses.replace(lift, code="A"),),
        variants_p=None,
        sample_ratio_p=0.5,
        open_windows=3,
        not_in_experiment=1,
        is_final=False,
    )


def shown(verdict: Verdict) -> Shown:
    return show(figures(verdict))


def test_not_enough_yet_is_said_plainly_with_the_size_needed() -> None:
    found = shown(Verdict.NOT_ENOUGH)
    assert found.headline == "Not enough yet to say whether it made a difference."
    assert "40\xa0000" in found.explanation


def test_a_gain_names_the_difference_its_interval_and_its_p_value() -> None:
    found = show(figures(Verdict.GAIN, Share(700, 10_000)))
    assert found.headline == "It worked: the share who did what it was for rose by 2.00 percentage points."
    assert "7.00 % of those written to, 5.00 % of those held out" in found.explanation
    assert "between +0.85 pp and +3.01 pp (95 %), p = 0.001" in found.explanation


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("language", ["en", "fi", "sv"])
def test_every_verdict_has_its_page_in_every_language(verdict: Verdict, language: str) -> None:
    kept = CampaignResult(figures=figures(verdict).as_json(), computed_at=AT, version=1)
    with translation.override(language):
        page = render_to_string("admin/campaigns/results_figures.html", {"results": kept})
    assert "k-verdict" in page
    assert page.count("<svg") >= 2


def test_the_additional_members_have_an_interval() -> None:
    tile = shown(Verdict.NOT_ENOUGH).tiles[1]
    assert tile.value == "100"
    assert tile.note == "between −14 and 200"


def test_before_the_first_result_the_page_says_so() -> None:
    page = render_to_string("admin/campaigns/results_figures.html", {"results": None})
    assert "once the campaign has begun" in page


def test_figures_are_rounded_and_not_cut_off() -> None:
    assert [wording.percent(1 / 7, 2), wording.money(30 / 7), wording.p_value(0.0496)] == [
        *("14.29 %", "4.29 €", "p = 0.050"),
    ]
    assert [wording.money(-0.004), wording.points(-2 / 3)] == ["0.00 €", "−66.67 pp"]
