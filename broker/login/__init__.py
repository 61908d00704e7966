"""The story of one login."""
