"""Rules of the login layer."""
