"""With whom a process shares the database that it opens."""

from enum import Enum


class Share(Enum):
    """What a process demands of a database. SQLite is one process's alone in any case.

    - HOST: the service of a host, or a command in its place. It has the state directory for itself, and the database
      of PostgreSQL with the services of other hosts.
    - WORKER: a further worker of a service that has the state directory already.
    - ALONE: the database for itself, whatever its state directory.
    """

    HOST = "host"
    WORKER = "worker"
    ALONE = "alone"
