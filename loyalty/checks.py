"""Misconfiguration, told by ``manage.py check`` before anybody meets it. Ids: kantis.E001 and following."""
