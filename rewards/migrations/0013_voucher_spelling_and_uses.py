"""Vouchers keep how often they can be used and how a file spelt them; locks and uses by member are found by an index."""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("rewards", "0012_redemption_codes_and_graces")]

    operations = [
        migrations.AddField(
            model_name="voucher",
            name="spelling",
            field=models.CharField(blank=True, editable=False, max_length=60, verbose_name="spelling"),
        ),
        migrations.AddField(
            model_name="voucher",
            name="uses",
            field=models.PositiveIntegerField(null=True, verbose_name="uses"),
        ),
        migrations.AddIndex(
            model_name="voucheruse",
            index=models.Index(
                condition=Q(("state", "locked")), fields=["voucher"], name="voucher_lock_held"
            ),
        ),
        migrations.AddIndex(
            model_name="voucheruse",
            index=models.Index(
                condition=Q(("member__isnull", False)),
                fields=["voucher", "member"],
                name="voucher_use_by_member",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucher",
            constraint=models.CheckConstraint(
                condition=Q(
                    Q(("uses__isnull", True), ("uses_left__isnull", True)),
                    ("uses_left__lte", F("uses")),
                    _connector="OR",
                ),
                name="voucher_uses_in_bounds",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucherfamily",
            constraint=models.CheckConstraint(
                condition=Q(
                    ("in_parts", False),
                    Q(("uses", 1), Q(("source", "shared"), _negated=True)),
                    _connector="OR",
                ),
                name="voucher_parts_of_one_use",
            ),
        ),
        migrations.AddConstraint(
            model_name="voucherfamily",
            constraint=models.CheckConstraint(
                condition=Q(("uses_per_member__isnull", True), ("source", "shared"), _connector="OR"),
                name="voucher_member_uses_of_shared",
            ),
        ),
    ]
