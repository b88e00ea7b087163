"""A message for members whose favourite reward is within reach."""

from django.db import migrations, models

import loyalty.translated

OCCASIONS = [("birthday", "birthday"), ("affordable", "a favourite reward is within reach")]
PLACES = "“{first_name}” and “{points}” are filled in, and “{reward}” where it is about one."
AFFORDABLE = {
    "names": {"fi": "Suosikki saatavilla", "sv": "Favorit inom räckhåll", "en": "Favourite within reach"},
    "occasion": "affordable",
    "subjects": {
        "fi": "Suosikkisi {reward} on nyt saatavillasi",
        "sv": "Din favorit {reward} är nu inom räckhåll",
        "en": "Your favourite {reward} can be yours now",
    },
    "bodies": {
        "fi": "Hei {first_name}! Pisteesi riittävät nyt suosikkiisi: {reward}, {points} pistettä. Löydät sen palkinnoista.",
        "sv": "Hej {first_name}! Dina poäng räcker nu till din favorit: {reward}, {points} poäng. Den finns bland belöningarna.",
        "en": "Hello {first_name}! You have enough points for your favourite now: {reward}, {points} points. "
        "You find it among the rewards.",
    },
}


def seed(apps, schema_editor):
    apps.get_model("campaigns", "Campaign").objects.get_or_create(code="affordable", defaults=AFFORDABLE)


def occasion():
    return models.CharField(choices=OCCASIONS, max_length=20, verbose_name="occasion")


def bodies():
    return loyalty.translated.TranslatedTextField(help_text=PLACES, verbose_name="texts")


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_message_reasons")]
    operations = [
        migrations.AlterField("campaign", "occasion", occasion()),
        migrations.AlterField("historicalcampaign", "occasion", occasion()),
        migrations.AlterField("campaign", "bodies", bodies()),
        migrations.AlterField("historicalcampaign", "bodies", bodies()),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
