"""Peers that nobody here wrote: identity providers, client libraries, browsers."""
