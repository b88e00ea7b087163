"""A programme to begin with, as a draft: staff look it over and start it."""

import datetime as dt

from django.db import migrations

ALWAYS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NAMES = {"fi": "Kutsu ystävä", "sv": "Bjud in en vän", "en": "Invite a friend"}
DESCRIPTIONS = {
    "fi": "Kun ystäväsi liittyy kutsustasi ja tekee ensimmäisen ostoksensa, saatte molemmat pisteitä.",
    "sv": "När din vän går med på din inbjudan och gör sitt första köp får ni båda poäng.",
    "en": "When your friend joins by your invitation and makes a first purchase, you both get points.",
}
SHARE_TEXTS = {
    "fi": "Liity mukaan kanta-asiakkaaksi, saat lahjaksi {gift}: {link}",
    "sv": "Bli stamkund du också, du får {gift} i present: {link}",
    "en": "Join me as a regular customer and get {gift} as a gift: {link}",
}


def seed(apps, schema_editor):
    Programme = apps.get_model("referrals", "ReferralProgramme")
    if Programme.objects.exists():
        return
    programme = Programme.objects.create(
        code="friends", names=NAMES, descriptions=DESCRIPTIONS, share_texts=SHARE_TEXTS, status="draft"
    )
    apps.get_model("referrals", "ProgrammeTerms").objects.create(
        programme=programme,
        number=1,
        valid_from=ALWAYS,
        trigger="first_purchase",
        minimum_purchase=20,
        referrer_points=500,
        friend_points=500,
        milestones=[
            {"friends": 3, "points": 500, "voucher": None},
            {"friends": 10, "points": 2000, "voucher": None},
        ],
        cap=50,
        cap_per_period=10,
        cap_period_days=30,
    )
    apps.get_model("referrals", "ProgrammeUse").objects.create(programme=programme)


class Migration(migrations.Migration):
    dependencies = [("referrals", "0003_codes_that_look_alike")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
