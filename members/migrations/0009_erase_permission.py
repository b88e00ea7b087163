"""A right of its own to erase members who leave."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0008_former_cards"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="member",
            options={
                "ordering": ["-id"],
                "permissions": [("erase_member", "Can erase a member who leaves the programme")],
                "verbose_name": "member",
                "verbose_name_plural": "members",
            },
        ),
    ]
