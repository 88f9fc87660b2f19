"""Which tests share a worker, so that what is compiled for one is there for the next."""

import pytest

#: Files that declare models in PyMC: the Op behind them takes the better part of a minute to compile.
DECLARED = ("test_models_program", "test_causes_density", "test_interval_censoring", "test_models_sigmoid")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A group for each file, and one for those files together; read by ``--dist loadgroup``."""
    for item in items:
        group = "declared" if item.path.stem in DECLARED else str(item.path.stem)
        item.add_marker(pytest.mark.xdist_group(group))
