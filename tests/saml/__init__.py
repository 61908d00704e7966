"""What several tests share: identity providers, browsers and servers in the test process."""
