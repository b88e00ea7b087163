"""What the admin's pages share: script policy, texts by language, sidebar, groups, and that every page opens."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from loyalty.exports import csv_lines
from loyalty.translated_forms import TranslatedTextFormField
from members.staff_groups import GROUPS, create_groups
from tests.factories.members import member
from tests.factories.staff import logged_in, staff

ROOMS = ("members", "rewards", "referrals", "campaigns", "analytics", "auth", "axes")


def policy(answer: object) -> dict[str, list[str]]:
    """The directives of an answer's Content-Security-Policy."""
    parts = [part.split() for part in answer["Content-Security-Policy"].split(";") if part.strip()]  # type: ignore[index]
    return {name: sources for name, *sources in parts}


@pytest.mark.django_db
def test_the_relaxed_policy_is_the_admins_alone() -> None:
    client = logged_in(staff(superuser=True))
    inside = policy(client.get(reverse("admin:index")))
    assert inside["script-src"] == ["'self'", "'unsafe-eval'"]
    assert inside["style-src"] == ["'self'", "'unsafe-inline'"]
    assert inside["default-src"] == ["'none'"]
    outside = policy(Client().get("/account/login/"))
    assert outside["script-src"] == outside["style-src"] == ["'self'"]


def test_an_input_for_each_language_gives_the_texts_by_code() -> None:
    field = TranslatedTextFormField(max_length=20)
    assert field.clean(["Hopea", "", " Silver "]) == {"fi": "Hopea", "en": "Silver"}
    for wrong in (["", " ", ""], [], ["x" * 21, "", ""]):
        with pytest.raises(ValidationError):
            field.clean(wrong)
    assert not field.has_changed({"fi": "Hopea", "sv": ""}, ["Hopea", "", ""])
    assert field.has_changed({"fi": "Hopea"}, ["Hopea", "", "Silver"])


def test_texts_are_shown_escaped() -> None:
    drawn = TranslatedTextFormField(multiline=True).widget.render(
        "names", {"fi": "</textarea><script>"}, {"id": "n"}
    )
    assert "<script>" not in drawn
    assert drawn.count("<textarea") == 3


def test_a_file_is_written_line_by_line() -> None:
    seen = []

    def rows():  # type: ignore[no-untyped-def]
        for number in range(3):
            seen.append(number)
            yield [number, "=1"]

    lines = csv_lines(["a", "b"], rows())
    assert next(lines).startswith("\ufeffa,b")
    assert seen == []
    assert next(lines) == "0,'=1\r\n"
    assert seen == [0]


@pytest.mark.django_db
def test_a_new_installation_has_its_groups_and_staffs_changes_last() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= set(GROUPS)
    for name, labels in GROUPS.items():
        held = {
            f"{permission.content_type.app_label}.{permission.codename}"
            for permission in Group.objects.get(name=name).permissions.select_related("content_type")
        }
        assert held == set(labels), name
    Group.objects.get(name="Support").permissions.clear()
    create_groups()
    assert not Group.objects.get(name="Support").permissions.exists()


@pytest.mark.django_db
def test_the_sidebar_shows_what_one_may_see() -> None:
    def titles(client: Client) -> set[str]:
        groups = client.get(reverse("admin:index")).context["sidebar_navigation"]
        return {item["link"] for group in groups for item in group["items"]}

    users = reverse("admin:members_user_changelist")
    ledger = reverse("admin:rewards_transfer_changelist")
    assert {users, ledger} <= {str(link) for link in titles(logged_in(staff(superuser=True)))}
    assert {str(link) for link in titles(logged_in(staff(group="Support")))} & {users, ledger} == {ledger}
    assert {str(link) for link in titles(logged_in(staff()))} == {reverse("admin:index")}


@pytest.mark.django_db
def test_every_list_and_form_opens() -> None:
    member()
    client = logged_in(staff(superuser=True))
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label not in ROOMS:
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_changelist")).status_code == 200, name
        assert client.get(reverse(f"{name}_changelist"), {"q": "aino"}).status_code == 200, name
        add = client.get(reverse(f"{name}_add"))
        assert add.status_code == (200 if model_admin.has_add_permission(add.wsgi_request) else 403), name
        if row := model._default_manager.first():
            assert client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200, name
            assert client.get(reverse(f"{name}_history", args=[row.pk])).status_code == 200, name


@pytest.mark.django_db
def test_customers_and_strangers_are_kept_out() -> None:
    customer = staff()
    customer.is_staff = False
    customer.save()
    for model in apps.get_models():
        if admin.site.is_registered(model):
            url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            assert Client().get(url).status_code == 302
    assert logged_in(customer).get(reverse("admin:index")).status_code == 302


@pytest.mark.django_db
def test_only_a_superuser_hands_out_rights() -> None:
    helper = staff("members.view_user", "members.change_user", "members.add_user")
    boss = staff(superuser=True)
    client = logged_in(helper)
    url = reverse("admin:members_user_change", args=[helper.pk])
    data = {
        "email": helper.email,
        "first_name": "Eero",
        "last_name": "",
        "is_active": "on",
        "is_superuser": "on",
    }
    assert client.post(url, data).status_code == 302
    helper.refresh_from_db()
    assert (helper.first_name, helper.is_superuser) == ("Eero", False)
    assert client.post(reverse("admin:members_user_change", args=[boss.pk]), data).status_code == 403
    new = {"email": "New@Example.com", "password1": "a long pass phrase", "password2": "a long pass phrase"}
    client.post(reverse("admin:members_user_add"), new | {"usable_password": "true", "is_staff": "on"})
    made = type(helper).objects.filter(email="new@example.com").first()
    assert made is None or not made.is_staff
