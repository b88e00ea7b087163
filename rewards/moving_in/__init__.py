"""Moving in: members, opening lots and tiers from another loyalty system, proved by a parity report.

``files`` reads the CSV files, ``staging`` lays them side by side and finds what cannot be taken, ``importing`` takes
them in (or, in a dry run, does so and rolls back), ``opening`` writes one batch, ``parity`` compares with the ledger.
The format and the rules stand in docs/moving-in.md.
"""
