"""A kind of voucher that is no longer issued leaves its vouchers alone; uses name their sale by the checkout only."""

from django.db import migrations, models

IS_ACTIVE = models.BooleanField(
    default=True, help_text="Vouchers issued before count all the same.", verbose_name="is issued"
)


class Migration(migrations.Migration):
    dependencies = [("rewards", "0016_challenges_taken_part_in")]

    operations = [
        migrations.AlterField(model_name="voucherfamily", name="is_active", field=IS_ACTIVE.clone()),
        migrations.AlterField(
            model_name="historicalvoucherfamily", name="is_active", field=IS_ACTIVE.clone()
        ),
        migrations.RemoveField(model_name="voucheruse", name="activity"),
    ]
