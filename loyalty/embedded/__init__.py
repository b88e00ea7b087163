"""PostgreSQL and Redis out of wheels, for the demo, development and the tests.

They run on unix sockets when `DATABASE_URL` and `REDIS_URL` are unset; production names its own servers.
`database_url`, `redis_url` and `broker_url` only compute paths, so settings may call them; `ensure` starts
the servers of a home folder, or joins those that run already, until the process ends.

    places     where everything of a home folder lies, and the addresses that follow from it
    lease      who uses the servers: `ensure`, `leave`, `stopped`
    keeper     the small process that starts both servers, restarts them and stops them after the last user
    servers    how one PostgreSQL and one Redis are prepared, started and stopped
    identity   how they run as another user when we are root

The standard library is all that these modules import.
"""

from .lease import ensure, ensure_if_needed, leave, stopped
from .places import EmbeddedError, Place, broker_url, database_url, home_folder, in_use, redis_url

__all__ = [
    "EmbeddedError",
    "Place",
    "broker_url",
    "database_url",
    "ensure",
    "ensure_if_needed",
    "home_folder",
    "in_use",
    "leave",
    "redis_url",
    "stopped",
]
