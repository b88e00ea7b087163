"""Codes: issuing, validating, locking for a checkout, using, rolling back. The only writer of vouchers."""
