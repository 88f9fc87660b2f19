"""What unit tests share: fewer counterfactual twins behind true values than users get, since none of them is about the last digits."""

from collections.abc import Iterator

import pytest

TWINS = 100_000


@pytest.fixture(scope="session", autouse=True)
def fewer_twins() -> Iterator[None]:
    """True values from 100,000 twins: a third of a percent of an SD between participants, at a tenth of the time of a million."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alsmodel.trials.estimands.TWINS", TWINS)
        yield
