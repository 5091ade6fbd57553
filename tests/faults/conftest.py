"""A package index of the tests' own, to which pip is set by its environment, as users do."""

import pytest

from .package_index import PackageIndex, environment_of, write_pins


@pytest.fixture(scope="module")
def index_and_pip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    write_pins(folder / "pins", folder / "wheels")
    index = PackageIndex(folder / "wheels")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment_of(index, folder / "pins").items():
            patch.setenv(name, value) if value else patch.delenv(name, raising=False)
        yield index
    index.close()


@pytest.fixture
def index(index_and_pip) -> PackageIndex:
    """With no fault switched on."""
    index_and_pip.bytes_per_second, index_and_pip.status = 0, 200
    index_and_pip.served.clear()
    return index_and_pip
