"""The tiers and kinds of activity of the default programme, and histories that nobody can rewrite."""

from django.db import migrations

from loyalty.append_only import protect

TIERS = [
    ("bronze", {"fi": "Pronssi", "sv": "Brons", "en": "Bronze"}),
    ("silver", {"fi": "Hopea", "sv": "Silver", "en": "Silver"}),
    ("gold", {"fi": "Kulta", "sv": "Guld", "en": "Gold"}),
]
KINDS = [
    ("purchase", {"fi": "Ostos", "sv": "Köp", "en": "Purchase"}),
    ("visit", {"fi": "Käynti", "sv": "Besök", "en": "Visit"}),
    ("review", {"fi": "Arvostelu", "sv": "Recension", "en": "Review"}),
    ("profile_completed", {"fi": "Profiili täydennetty", "sv": "Profilen ifylld", "en": "Profile completed"}),
    ("survey_answered", {"fi": "Kyselyyn vastattu", "sv": "Enkät besvarad", "en": "Survey answered"}),
    ("event_attended", {"fi": "Tapahtumassa käyty", "sv": "Evenemang besökt", "en": "Event attended"}),
    ("app_installed", {"fi": "Sovellus asennettu", "sv": "App installerad", "en": "App installed"}),
    ("eco_act", {"fi": "Ympäristöteko", "sv": "Miljögärning", "en": "Eco act"}),
    ("social_share", {"fi": "Jako somessa", "sv": "Delning i sociala medier", "en": "Social share"}),
]


def seed(apps, schema_editor):
    tier = apps.get_model("members", "Tier")
    kind = apps.get_model("members", "ActivityKind")
    for rank, (code, names) in enumerate(TIERS):
        tier.objects.get_or_create(code=code, defaults={"names": names, "rank": rank})
    for code, names in KINDS:
        kind.objects.get_or_create(code=code, defaults={"names": names})


class Migration(migrations.Migration):
    dependencies = [("members", "0001_initial")]
    operations = [
        migrations.RunPython(seed, migrations.RunPython.noop),
        protect("members_tierchange"),
        protect("members_consentchange"),
    ]
