"""Cells of CSV files that people open in a spreadsheet."""

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: object) -> object:
    """The value, a text that a spreadsheet would take for a formula quoted; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_STARTS_A_FORMULA):
        return "'" + value
    return value
