"""``assignment.share_of`` in SQL, for questions over more members than are worth fetching."""


def share_sql(key: str, member_id: str) -> str:
    """The share as an expression, to the last bit; ``key`` is a parameter's place, ``member_id`` a column."""
    digest = f"sha256(convert_to({key} || ':' || {member_id}, 'UTF8'))"
    bits = f"(('x' || encode(substring({digest} FOR 8), 'hex'))::bit(64) >> 11)"
    return f"({bits}::bigint::double precision * 2.0::double precision ^ (-53))"
