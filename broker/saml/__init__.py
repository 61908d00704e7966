"""SAML 2.0 as a library: bytes in, verified data out. No HTTP, I/O, store or clock of its own."""
