"""The greetings that were there before keep their button to the portal, which is now part of their texts."""

from django.db import migrations

LABELS = {"fi": "Näytä pisteeni", "sv": "Visa mina poäng", "en": "See my points"}


def label(apps, schema_editor):
    texts = apps.get_model("campaigns", "Text").objects.filter(
        variant__campaign__code__in=["birthday", "affordable"], button_label="", button_link=""
    )
    for language, words in LABELS.items():
        texts.filter(language=language).update(button_label=words)


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0012_texts_live_in_variants")]
    operations = [migrations.RunPython(label, migrations.RunPython.noop)]
