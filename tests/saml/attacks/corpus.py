"""All hostile documents, by module. A new module of cases is added here and nowhere else."""

from __future__ import annotations

from collections import Counter

from tests.saml.attacks import (
    bombs,
    confusion,
    encryption,
    envelope,
    keys,
    not_xml,
    parsing,
    profile,
    references,
    structure,
    validity,
    wrapping,
)
from tests.saml.attacks.case import AttackCase, Category

MODULES = (
    wrapping,
    encryption,
    parsing,
    not_xml,
    structure,
    references,
    keys,
    confusion,
    profile,
    validity,
    bombs,
    envelope,
)

CORPUS: tuple[AttackCase, ...] = tuple(case for module in MODULES for case in module.CASES)


def count_by_category() -> Counter[Category]:
    return Counter(case.category for case in CORPUS)
