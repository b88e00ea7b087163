import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0009_scopes_for_campaigns"),
    ]

    operations = [
        migrations.AlterField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("members:read", "read members"),
                        ("members:write", "enrol members"),
                        ("members:erase", "erase members who leave"),
                        ("activities:read", "read activities"),
                        ("activities:write", "record activities"),
                        ("points:read", "read balances and statements"),
                        ("offers:write", "activate personal offers"),
                        ("rewards:read", "read the catalogue, challenges, causes and leaderboards"),
                        ("redemptions:read", "read redemptions"),
                        ("redemptions:write", "redeem points, cancel and hand over"),
                        ("vouchers:read", "validate vouchers"),
                        ("vouchers:use", "lock, redeem and roll back vouchers"),
                        ("vouchers:issue", "issue vouchers"),
                        ("challenges:write", "join members in challenges"),
                        ("segments:read", "read segments and who is in them"),
                        ("segments:write", "put members on lists"),
                        ("events:write", "tell of events of the partner's own"),
                        ("campaigns:read", "read campaigns"),
                        ("campaigns:trigger", "set campaigns off for members"),
                        ("messages:read", "read what became of messages"),
                        ("referrals:read", "read referral codes and where referrals stand"),
                    ],
                    max_length=30,
                ),
                size=None,
                verbose_name="scopes",
            ),
        ),
    ]
