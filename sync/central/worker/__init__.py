"""The worker: the process that has the database open and answers the gateway's calls."""
