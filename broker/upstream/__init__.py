"""One file per kind of identity provider."""
