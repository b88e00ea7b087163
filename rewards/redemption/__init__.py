"""Points turned into rewards: reserved, issued, fulfilled, cancelled, lapsed. The only writer of redemptions."""
