from __future__ import annotations

from collections.abc import Callable

import pytest

from posthouse.organization import Attribution, Organization, Peer, attribute, candidates

Attribute = Callable[[Organization, Peer, str], Attribution]


@pytest.fixture
def attributed() -> Attribute:
    """Attribution in one step, as a session does it in two."""
    return lambda organization, peer, reverse_path: attribute(candidates(organization, peer), reverse_path)
