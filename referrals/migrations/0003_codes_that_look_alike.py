"""A code that looks like another's is nobody else's; a voucher that is missing is a reason."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0011_ready_made_segments"),
        ("referrals", "0002_programmes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="referral",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("no_programme", "no programme was running for the referrer"),
                    ("too_late", "the friend did not qualify in time"),
                    ("refunded", "the purchase was returned"),
                    ("fraud", "it looked like fraud, and staff agreed"),
                    ("cap", "the referrer has been rewarded as often as they may"),
                    ("budget", "the programme's budget is used up"),
                    ("voucher", "no voucher is left at present"),
                    ("left", "one of the two has left the programme"),
                    ("staff", "by a decision of staff"),
                    ("appeal", "after an appeal"),
                ],
                max_length=12,
                verbose_name="reason",
            ),
        ),
        migrations.AlterField(
            model_name="referralgrant",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("no_programme", "no programme was running for the referrer"),
                    ("too_late", "the friend did not qualify in time"),
                    ("refunded", "the purchase was returned"),
                    ("fraud", "it looked like fraud, and staff agreed"),
                    ("cap", "the referrer has been rewarded as often as they may"),
                    ("budget", "the programme's budget is used up"),
                    ("voucher", "no voucher is left at present"),
                    ("left", "one of the two has left the programme"),
                    ("staff", "by a decision of staff"),
                    ("appeal", "after an appeal"),
                ],
                max_length=12,
                verbose_name="why not",
            ),
        ),
        migrations.AlterField(
            model_name="referralstep",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("no_programme", "no programme was running for the referrer"),
                    ("too_late", "the friend did not qualify in time"),
                    ("refunded", "the purchase was returned"),
                    ("fraud", "it looked like fraud, and staff agreed"),
                    ("cap", "the referrer has been rewarded as often as they may"),
                    ("budget", "the programme's budget is used up"),
                    ("voucher", "no voucher is left at present"),
                    ("left", "one of the two has left the programme"),
                    ("staff", "by a decision of staff"),
                    ("appeal", "after an appeal"),
                ],
                max_length=12,
                verbose_name="reason",
            ),
        ),
        migrations.AddIndex(
            model_name="formercode",
            index=models.Index(
                models.Func(
                    models.F("code"),
                    models.Value("01LU"),
                    models.Value("OIIV"),
                    function="translate",
                    output_field=models.CharField(),
                ),
                name="former_code_by_look",
            ),
        ),
        migrations.AddConstraint(
            model_name="referralcode",
            constraint=models.UniqueConstraint(
                models.Func(
                    models.F("code"),
                    models.Value("01LU"),
                    models.Value("OIIV"),
                    function="translate",
                    output_field=models.CharField(),
                ),
                name="referral_code_look_once",
            ),
        ),
    ]
