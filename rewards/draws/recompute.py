"""Recomputes the winners of a draw from draw.json and entries.csv in this folder. Needs nothing but Python 3."""

import csv
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any


def recompute(draw: dict[str, Any], entries: bytes) -> list[tuple[int, int]]:
    """Pairs of a prize's position and the number that won it, in the order in which they were drawn."""
    seed = bytes.fromhex(draw["seed"])
    digest = hashlib.sha256(entries)
    if hashlib.sha256(seed).hexdigest() != draw["commitment"]:
        raise SystemExit("This is not the seed that was promised.")
    if digest.hexdigest() != draw["list_digest"]:
        raise SystemExit("This is not the list that was published.")

    rows = csv.DictReader(entries.decode().splitlines())
    lines = [{key: int(value) for key, value in row.items()} for row in rows]
    prizes = [each["position"] for each in draw["prizes"] for _piece in range(each["quantity"])]
    winners, counter = [], 0
    for prize in prizes:
        chances = sum(line["chances"] for line in lines)
        if chances == 0:  # more prizes than members
            break
        while True:
            block = hmac.new(seed, digest.digest() + counter.to_bytes(8, "big"), "sha256").digest()
            number, counter = int.from_bytes(block, "big"), counter + 1
            if number < 2**256 - 2**256 % chances:  # else some chances would be likelier than others
                break
        number %= chances
        for line in lines:
            if number < line["chances"]:
                break
            number -= line["chances"]
        winners.append((prize, line["number"]))
        lines = [each for each in lines if each["holder"] != line["holder"]]  # each member wins once at most
    return winners


if __name__ == "__main__":
    drawn = json.loads(Path("draw.json").read_text(encoding="utf-8"))
    found = recompute(drawn, Path("entries.csv").read_bytes())
    for prize, number in found:
        print(f"prize {prize}: entry {number}")
    if found != [(each["prize"], each["number"]) for each in drawn["winners"]]:
        raise SystemExit("Others were named as winners!")
    print("The same winners as published.")
