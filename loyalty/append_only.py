"""A database trigger that keeps history history: UPDATE, DELETE and TRUNCATE are refused for everyone."""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION kantis_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation', HINT = 'Write a correcting row instead.';
END $$;
"""


def protect(table: str) -> migrations.RunSQL:
    """A migration operation that makes ``table`` append-only from here on."""
    return migrations.RunSQL(
        sql=f"""{FUNCTION}
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION kantis_append_only();
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION kantis_append_only();""",
        reverse_sql=f"""DROP TRIGGER {table}_append_only ON {table}; DROP TRIGGER {table}_no_truncate ON {table};""",
    )
