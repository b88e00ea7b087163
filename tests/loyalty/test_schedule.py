"""The schedule in code reaches beat's tables; what staff changed there stays."""

import datetime as dt
import json

import pytest
from django.core.management import call_command
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from loyalty import schedule
from loyalty.schedule import Daily, Entry, Every

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _a_schedule_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    PeriodicTask.objects.all().delete()
    declare(monkeypatch, Entry("tests.often", Every(5), "Often."), Entry("tests.night", NIGHT, "At night."))


NIGHT = Daily(dt.time(0, 45))


def declare(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> None:
    monkeypatch.setattr(schedule, "SCHEDULE", entries)
    schedule.synchronise()


def rows() -> dict[str, tuple[str, bool]]:
    return {row.name: (schedule._timing_of(row), row.enabled) for row in PeriodicTask.objects.all()}


def test_every_entry_has_its_row() -> None:
    assert rows() == {"tests.often": ("every 5 s", True), "tests.night": ("daily at 00:45 UTC", True)}
    often = PeriodicTask.objects.get(name="tests.often")
    assert (often.task, often.expire_seconds, json.loads(often.headers)) == (
        "tests.often",
        30,
        {"kantis": "every 5 s"},
    )


def test_beat_can_read_the_rows() -> None:
    for row in PeriodicTask.objects.all():
        entry = ModelEntry(row)
        assert entry.is_due().next > 0


def test_synchronising_again_changes_nothing() -> None:
    before = list(PeriodicTask.objects.order_by("pk").values("pk", "interval", "crontab", "headers"))
    schedule.synchronise()
    assert list(PeriodicTask.objects.order_by("pk").values("pk", "interval", "crontab", "headers")) == before
    assert IntervalSchedule.objects.filter(every=5, period="seconds").count() == 1


def test_a_new_timing_in_code_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(
        monkeypatch, Entry("tests.often", Every(120), "Often."), Entry("tests.night", Every(60), "At night.")
    )
    assert rows() == {"tests.often": ("every 120 s", True), "tests.night": ("every 60 s", True)}


def test_what_staff_changed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    sunday, _ = CrontabSchedule.objects.get_or_create(
        minute="0", hour="3", day_of_week="0", timezone="Europe/Helsinki"
    )
    PeriodicTask.objects.filter(name="tests.often").update(interval=hourly, enabled=False)
    PeriodicTask.objects.filter(name="tests.night").update(crontab=sunday)
    declare(
        monkeypatch,
        Entry("tests.often", Every(10), "More often."),
        Entry("tests.night", Daily(dt.time(2)), "At night."),
    )
    assert rows() == {"tests.often": ("every 3600 s", False), "tests.night": ("edited", True)}
    assert PeriodicTask.objects.get(name="tests.often").description == "More often."


def test_an_edit_that_is_put_back_follows_the_code_again(monkeypatch: pytest.MonkeyPatch) -> None:
    row = PeriodicTask.objects.get(name="tests.often")
    declared = row.interval
    row.interval = IntervalSchedule.objects.create(every=1, period="hours")
    row.save()
    schedule.synchronise()
    PeriodicTask.objects.filter(pk=row.pk).update(interval=declared)
    declare(monkeypatch, Entry("tests.often", Every(10), "Often."), Entry("tests.night", NIGHT, ""))
    assert rows()["tests.often"] == ("every 10 s", True)


def test_what_left_the_code_leaves_the_table_but_not_other_peoples_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interval = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="of the house", task="x", interval=interval)
    declare(monkeypatch, Entry("tests.often", Every(5), "Often."))
    assert sorted(rows()) == ["of the house", "tests.often"]


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sync_schedule")
    assert capsys.readouterr().out == "2 entries.\n"


@pytest.mark.django_db
def test_every_declared_task_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    from loyalty.celery import app

    monkeypatch.undo()
    app.loader.import_default_modules()
    assert {entry.task for entry in schedule.SCHEDULE} <= set(app.tasks)
