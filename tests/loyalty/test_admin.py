"""The admin of the ground floor: who gets in, keys shown once, failures tried again, and every page opens."""

import datetime as dt
import re

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import translation

from loyalty import schedule
from loyalty.events import waking
from loyalty.events.models import Event, EventFailure
from loyalty.partners import keys
from loyalty.partners.models import ApiKey, Scope
from loyalty.runs.models import Run
from tests.factories.partners import PartnerFactory, key_for

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
User = get_user_model()
GROUND = ("loyalty", "django_celery_beat", "account", "mfa", "usersessions")


@pytest.fixture(autouse=True)
def _english(settings) -> None:
    settings.LANGUAGE_CODE = "en"
    translation.activate("en")
    cache.clear()


@pytest.fixture
def staff():
    return User.objects.create_superuser(email="aino@example.com", password="a-long-password-1")


@pytest.fixture
def client(staff) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    return client


def failure(**values) -> EventFailure:
    event = Event.objects.create(name="test.happened", occurred_at=AT, dispatched_at=AT, facts={"a": "<b>"})
    row = {
        "subscription": "tests.x",
        "error": "Traceback\nValueError: <b>",
        "failed_at": AT,
        "status": "parked",
    }
    return EventFailure.objects.create(event=event, **(row | values))


def test_the_admin_sends_strangers_to_the_portals_log_in() -> None:
    answer = Client().get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0].startswith(reverse("account_login"))


def test_somebody_logged_in_who_is_not_staff_is_refused() -> None:
    member = User.objects.create_user(email="eino@example.com", password="a-long-password-1")
    client = Client()
    client.force_login(member, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/", follow=True).status_code == 403
    assert client.get(reverse("admin:loyalty_apikey_changelist"), follow=True).status_code == 403


def test_guessing_a_password_is_stopped_even_without_the_cache(staff, settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = False  # what is left when Redis is away
    client = Client()

    def log_in(password: str, address: str = "Aino@example.com") -> int:
        return client.post(reverse("account_login"), {"login": address, "password": password}).status_code

    assert [log_in("wrong") for _try in range(4)] == [200] * 4
    assert log_in("wrong") == 429
    assert log_in("a-long-password-1") == 429
    assert "_auth_user_id" not in client.session
    assert log_in("wrong", "somebody.else@example.com") == 200


def test_guessing_an_unknown_address_looks_the_same(settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    client = Client()
    login = {"login": "nobody@example.com", "password": "wrong"}
    statuses = [client.post(reverse("account_login"), login).status_code for _try in range(6)]
    assert statuses == [200, 200, 200, 200, 429, 429]


def test_every_page_of_the_ground_floor_opens(client: Client) -> None:
    key_for(PartnerFactory.create())
    failure()
    Run.objects.create(name="x", at=AT, started_at=AT, seen_at=AT, error="<b>")
    schedule.synchronise()
    opened = 0
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label not in GROUND:
            continue
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{place}_changelist")).status_code == 200, model
        assert client.get(reverse(f"{place}_changelist"), {"q": "a"}).status_code == 200, model
        opened += 1
        if row := model._default_manager.first():
            page = client.get(reverse(f"{place}_change", args=[row.pk]))
            assert page.status_code == 200, model
            assert "<b>" not in page.text, model
        add = client.get(reverse(f"{place}_add"))
        assert add.status_code == (200 if model_admin.has_add_permission(add.wsgi_request) else 403), model
    assert opened == 12


def test_a_new_key_is_shown_once_and_kept_nowhere(client: Client) -> None:
    partner = PartnerFactory.create()
    form = {
        "partner": partner.pk,
        "name": "till, Kamppi",
        "scopes": [Scope.MEMBERS_READ, Scope.ACTIVITIES_WRITE],
        "rate_per_minute": "",
        "expires_at_0": "",
        "expires_at_1": "",
    }
    answer = client.post(reverse("admin:loyalty_apikey_add"), form)

    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    [text] = re.findall(r"kantis_\w+", answer.text)
    key = keys.find_key(text, at=AT)
    assert (key.partner, key.name, key.scopes) == (
        partner,
        "till, Kamppi",
        ["members:read", "activities:write"],
    )
    secret = text.rpartition("_")[2]
    for address in ("changelist", "change"):
        args = [key.pk] if address == "change" else []
        assert secret not in client.get(reverse(f"admin:loyalty_apikey_{address}", args=args)).text
    assert secret not in str(client.session.items())
    assert secret not in str(client.cookies)
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    "change", [{"scopes": []}, {"scopes": ["everything"]}, {"name": ""}, {"expires_at_0": "2020-01-01"}]
)
def test_a_key_that_makes_no_sense_is_not_made(client: Client, change: dict[str, object]) -> None:
    form = {
        "partner": PartnerFactory.create().pk,
        "name": "x",
        "scopes": ["members:read"],
        "expires_at_0": "",
        "expires_at_1": "12:00:00" if "expires_at_0" in change else "",
    }
    assert client.post(reverse("admin:loyalty_apikey_add"), form | change).status_code == 200
    assert not ApiKey.objects.exists()


def test_keys_are_revoked_from_the_list(client: Client) -> None:
    key, text = key_for(PartnerFactory.create())
    action = {"action": "revoke", "_selected_action": [key.pk]}
    assert client.post(reverse("admin:loyalty_apikey_changelist"), action).status_code == 302
    with pytest.raises(keys.KeyRefused):
        keys.find_key(text, at=dt.datetime.now(tz=dt.UTC))


def test_a_parked_delivery_is_tried_again_when_staff_say_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "wake", lambda: None)
    parked, resolved = failure(), failure(subscription="tests.y", status="resolved")
    action = {"action": "try_again", "_selected_action": [parked.pk, resolved.pk]}
    client.post(reverse("admin:loyalty_eventfailure_changelist"), action)
    parked.refresh_from_db()
    resolved.refresh_from_db()
    assert (parked.status, parked.attempts, resolved.status) == ("retrying", 0, "resolved")


def test_who_may_only_look_may_not_try_again(client: Client, staff) -> None:
    from django.contrib.auth.models import Permission

    User.objects.filter(pk=staff.pk).update(is_superuser=False)
    staff.user_permissions.add(Permission.objects.get(codename="view_eventfailure"))
    parked = failure()
    action = {"action": "try_again", "_selected_action": [parked.pk]}
    client.post(reverse("admin:loyalty_eventfailure_changelist"), action)
    parked.refresh_from_db()
    assert parked.status == "parked"
    assert client.get(reverse("admin:loyalty_apikey_changelist")).status_code == 403
