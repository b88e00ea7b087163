"""The birthday greeting of the default programme."""

from django.db import migrations

BIRTHDAY = {
    "names": {"fi": "Syntymäpäivä", "sv": "Födelsedag", "en": "Birthday"},
    "occasion": "birthday",
    "bonus_points": 100,
    "look_back_days": 3,
    "subjects": {
        "fi": "Hyvää syntymäpäivää, {first_name}!",
        "sv": "Grattis på födelsedagen, {first_name}!",
        "en": "Happy birthday, {first_name}!",
    },
    "bodies": {
        "fi": "Onnea! Annoimme sinulle lahjaksi {points} pistettä. Ne ovat jo tililläsi.",
        "sv": "Grattis! Vi har gett dig {points} poäng i present. De finns redan på ditt konto.",
        "en": "Many happy returns! We have given you {points} points as a present. They are already yours.",
    },
}


def seed(apps, schema_editor):
    apps.get_model("campaigns", "Campaign").objects.get_or_create(code="birthday", defaults=BIRTHDAY)


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
