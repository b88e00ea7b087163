"""Keys may erase members who leave."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyalty", "0005_versions_are_never_used_twice"),
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
                    ],
                    max_length=30,
                ),
                size=None,
                verbose_name="scopes",
            ),
        ),
    ]
