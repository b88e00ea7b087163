"""Groups of staff belong to staff: what later releases would give is listed, and given only when somebody says so."""

import io

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command

from members.staff_groups import create_groups, grant_missing, missing_rights
from tests.factories.members import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def older() -> Group:
    """Finance as an older version made it: without two rights, and with one that staff added."""
    finance = Group.objects.get(name="Finance")
    finance.permissions.remove(*Permission.objects.filter(codename__in=["decide_adjustments", "add_refund"]))
    finance.permissions.add(Permission.objects.get(codename="add_member"))
    return finance


def may(group: Group, right: str) -> bool:
    user = UserFactory(is_staff=True)
    user.groups.add(group)
    return bool(user.has_perm(right))


def said(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("staff_groups", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_a_new_installation_lacks_nothing() -> None:
    assert missing_rights() == {}
    assert said() == ["Nothing is missing."]
    assert said("--grant") == ["Nothing to give."]


def test_what_an_older_group_lacks_is_listed_and_nothing_is_changed(older: Group) -> None:
    assert said() == ["Finance", "  - rewards.decide_adjustments", "  - rewards.add_refund"]
    assert not may(older, "rewards.decide_adjustments")


def test_granting_gives_what_is_missing_once_and_keeps_what_staff_added(older: Group) -> None:
    assert said("--grant") == ["Finance", "  + rewards.decide_adjustments", "  + rewards.add_refund"]
    assert may(older, "rewards.decide_adjustments")
    assert may(older, "rewards.add_refund")
    assert may(older, "members.add_member")
    assert grant_missing() == {}


def test_one_right_of_one_group_may_be_chosen(older: Group) -> None:
    Group.objects.get(name="Support").permissions.clear()
    chosen = ("--group", "Finance", "--right", "rewards.add_refund")
    assert said(*chosen) == ["Finance", "  - rewards.add_refund"]
    assert said("--grant", *chosen) == ["Finance", "  + rewards.add_refund"]
    assert not may(older, "rewards.decide_adjustments")
    assert not Group.objects.get(name="Support").permissions.exists()


def test_a_right_that_no_group_has_is_refused_by_name(older: Group) -> None:
    with pytest.raises(CommandError, match="print_money"):
        said("--grant", "--right", "rewards.print_money")
    assert not may(older, "rewards.add_refund")


def test_a_group_that_staff_renamed_or_deleted_is_left_alone(older: Group) -> None:
    Group.objects.filter(pk=older.pk).update(name="Talous")
    assert missing_rights() == {}
    assert said("--grant") == ["Nothing to give."]


def test_migrate_names_the_groups_that_lack_rights_and_gives_them_nothing(older: Group) -> None:
    out = io.StringIO()
    create_groups(verbosity=1, stdout=out)
    assert "missing in: Finance. See manage.py staff_groups." in out.getvalue()
    assert not may(older, "rewards.add_refund")
    grant_missing()
    silent = io.StringIO()
    create_groups(verbosity=1, stdout=silent)
    assert silent.getvalue() == ""
