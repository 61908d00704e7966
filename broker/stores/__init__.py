"""The ports of `broker.ports` on Redis, SQL and the file system."""
