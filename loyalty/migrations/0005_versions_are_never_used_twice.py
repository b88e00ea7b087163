"""The versions of the terms come from a sequence: one that was rolled back is never given to other terms."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0004_offers_scope")]
    operations = [
        migrations.RunSQL(
            sql="""
            CREATE SEQUENCE loyalty_terms_version;
            SELECT setval('loyalty_terms_version', (SELECT coalesce(max(terms_version), 1) FROM loyalty_programme));
            """,
            reverse_sql="DROP SEQUENCE loyalty_terms_version",
        )
    ]
