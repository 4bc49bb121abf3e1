"""Who signs: files or environment, never half of it, and a key that nobody repeats."""

from __future__ import annotations

from pathlib import Path

import pytest
from signed_sounds import studio_identity

from pipeline.credentials.development import development_identity, root_path
from pipeline.credentials.identity import CERTIFICATE_VARIABLE, KEY_VARIABLE, configured
from pipeline.credentials.signing import Signer
from pipeline.errors import MachineError

STUDIO, _ = studio_identity()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch):
    def give(certificate: str | None, key: str | None) -> None:
        for name, value in ((CERTIFICATE_VARIABLE, certificate), (KEY_VARIABLE, key)):
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return give


def test_nothing_is_configured_where_neither_variable_is_set(given) -> None:
    given(None, "")
    assert configured() is None


def test_files_and_pem_texts_configure_the_same_identity(given, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text(STUDIO.certificates)
    (tmp_path / "key.pem").write_text(STUDIO.key)
    given(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    from_files = configured()
    given(STUDIO.certificates, STUDIO.key)
    from_texts = configured()
    assert from_files is not None
    assert from_texts is not None
    assert from_files.name == from_texts.name == STUDIO.name
    assert len(from_files.name) == 64
    assert Signer(from_texts).name == STUDIO.name


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        ("cert", None, "CUESMITH_C2PA_KEY is not set"),
        (None, "key", "CUESMITH_C2PA_CERT is not set"),
        ("no/such/file.pem", "key", "cannot read the file in CUESMITH_C2PA_CERT"),
        ("key", "key", "CUESMITH_C2PA_CERT contains no certificate"),
        ("cert", "cert", "CUESMITH_C2PA_KEY contains no private key"),
    ],
)
def test_what_is_wrong_is_reported_with_the_variable_and_never_with_the_key(
    given, certificate: str | None, key: str | None, said: str
) -> None:
    texts = {"cert": STUDIO.certificates, "key": STUDIO.key}
    given(texts.get(certificate or "", certificate), texts.get(key or "", key))
    with pytest.raises(MachineError, match=said) as caught:
        configured()
    assert caught.value.exit_code == 4
    assert not any(line in str(caught.value) for line in STUDIO.key.splitlines()[1:-1])


def test_a_key_under_a_passphrase_or_of_an_unknown_kind_is_refused(given) -> None:
    locked = STUDIO.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
    given(STUDIO.certificates, locked)
    identity = configured()
    assert identity is not None
    with pytest.raises(MachineError, match="contains no readable key"):
        Signer(identity)


def test_an_identity_does_not_show_its_key() -> None:
    assert STUDIO.key not in repr(STUDIO)
    assert "PRIVATE KEY" not in repr(STUDIO)


def test_a_development_root_that_was_cut_short_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUESMITH_CONFIG", str(tmp_path))
    development_identity()
    whole = root_path().read_bytes()
    root_path().write_bytes(whole[:100])
    development_identity()
    assert root_path().read_bytes() == whole
