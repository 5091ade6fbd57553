"""How the hub is reached: what is saved, what the environment says, and that the token stays secret."""

from __future__ import annotations

import stat

import pytest

from marigold_blender.errors import MarigoldError
from marigold_blender.models.network import HUB, has_token, read_network, save_network, save_token, without_secrets

pytestmark = pytest.mark.usefixtures("home")


def test_the_token_is_kept_where_only_its_owner_reads_it(home):
    assert not has_token()
    save_token(" hf_secret\n")
    assert read_network().token == "hf_secret"
    assert stat.S_IMODE((home / "hub_token").stat().st_mode) == 0o600
    (home / "hub_token").chmod(0o644)
    assert has_token()
    assert stat.S_IMODE((home / "hub_token").stat().st_mode) == 0o600
    assert "hf_secret" not in repr(read_network())
    save_token("")
    assert not has_token()


def test_the_environment_goes_before_what_was_saved(monkeypatch):
    save_token("saved")
    save_network("https://mirror.example/", "http://user:pass@proxy.example:3128")
    network = read_network()
    assert (network.endpoint, network.proxy) == ("https://mirror.example", "http://user:pass@proxy.example:3128")
    assert without_secrets("saved by user:pass@proxy", network) == "… by user:…@proxy"
    monkeypatch.setenv("HF_ENDPOINT", "https://other.example")
    monkeypatch.setenv("HF_TOKEN", "from the environment")
    assert (read_network().endpoint, read_network().token) == ("https://other.example", "from the environment")
    monkeypatch.delenv("HF_ENDPOINT")
    save_network()
    assert read_network().endpoint == HUB


@pytest.mark.parametrize("arguments", [("huggingface",), ("", "proxy:3128")])
def test_what_is_no_address_is_refused(arguments):
    with pytest.raises(MarigoldError, match="is no web address"):
        save_network(*arguments)


def test_a_login_of_the_hub_s_own_tool_is_used(tmp_path):
    (tmp_path / "huggingface").mkdir()
    (tmp_path / "huggingface/token").write_text("hf_login\n")
    assert read_network().token == "hf_login"
