"""Each redemption names the stock row whose piece it took: stock that is kept from some day on counts from there."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rewards", "0013_voucher_spelling_and_uses")]

    operations = [
        migrations.AddField(
            model_name="redemption",
            name="stock",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="rewards.rewardstock",
                verbose_name="stock",
            ),
        ),
        migrations.AlterField(
            model_name="redemption",
            name="wallet",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="rewards.wallet",
                verbose_name="wallet",
            ),
        ),
    ]
