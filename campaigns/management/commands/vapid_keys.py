"""``manage.py vapid_keys``: a new key for notifications to browsers, as the environment takes it."""

from typing import Any

from django.core.management.base import BaseCommand

from campaigns.channels import push


class Command(BaseCommand):
    help = (
        "Print a new VAPID key for notifications. Keep it: with another key, every browser must agree anew."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        private = push.new_private_key()
        self.stdout.write(f"VAPID_PRIVATE_KEY={private}")
        self.stdout.write(f"# browsers are told: {push.public_key(private)}")
