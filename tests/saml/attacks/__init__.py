"""Hostile SAML Responses, the naive readers they deceive, and the broker's reader that refuses them.

Every case is data (``case.AttackCase``) and is built anew from keys of its own. A case counts only
because some reader in ``weakened`` was seen to fall for it: ``test_corpus`` asserts both halves.
"""
