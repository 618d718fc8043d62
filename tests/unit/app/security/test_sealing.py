import stat
from pathlib import Path

import pytest

from app.security.errors import SealBroken, SecretKeyUnusable
from app.security.sealing import Sealer, load_secret_key

OLD, NEW = "o" * 40, "n" * 40
CANARY = "sk-canary-1234567890"


def test_what_was_sealed_opens_again_and_does_not_show_the_secret() -> None:
    sealer = Sealer([NEW])

    first, second = sealer.seal("OPENAI_API_KEY", CANARY), sealer.seal("OPENAI_API_KEY", CANARY)

    assert sealer.open("OPENAI_API_KEY", sealer.key_id, first) == CANARY
    assert first != second
    assert CANARY.encode() not in first


def test_every_changed_byte_is_noticed() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal("name", CANARY)

    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SealBroken):
            sealer.open("name", sealer.key_id, bytes(changed))
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.open("name", sealer.key_id, sealed[:length])


def test_a_sealed_value_moved_to_another_name_does_not_open() -> None:
    sealer = Sealer([NEW])

    with pytest.raises(SealBroken):
        sealer.open("other", sealer.key_id, sealer.seal("name", CANARY))


def test_another_key_is_named_but_not_shown() -> None:
    old = Sealer([OLD])
    sealed = old.seal("name", CANARY)

    with pytest.raises(SealBroken, match=old.key_id) as broken:
        Sealer([NEW]).open("name", old.key_id, sealed)

    assert OLD not in str(broken.value)
    assert NEW not in str(broken.value)


def test_relabelling_a_sealed_value_with_another_known_key_does_not_open_it() -> None:
    old, both = Sealer([OLD]), Sealer([NEW, OLD])

    with pytest.raises(SealBroken):
        both.open("name", both.key_id, old.seal("name", CANARY))


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, both = Sealer([OLD]), Sealer([NEW, OLD])

    assert both.key_id == Sealer([NEW]).key_id != old.key_id
    assert both.open("name", old.key_id, old.seal("name", CANARY)) == CANARY


def test_a_key_is_made_once_and_only_we_can_read_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"

    made = load_secret_key(None, data_dir)

    assert load_secret_key("  ", data_dir) == made
    [path] = data_dir.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    load_secret_key(None, data_dir)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_configured_keys_come_in_order_and_no_file_is_made(tmp_path: Path) -> None:
    assert load_secret_key(f"{NEW} {OLD}", tmp_path) == [NEW, OLD]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["short", f"{NEW} short"])
def test_a_key_too_short_to_be_safe_is_refused_without_showing_it(key: str, tmp_path: Path) -> None:
    with pytest.raises(SecretKeyUnusable, match="at least 32") as refused:
        load_secret_key(key, tmp_path)
    assert "short" not in str(refused.value)


def test_a_broken_key_file_is_refused_rather_than_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    for content in (b"", b"\xff\xfe", b"short"):
        path.write_bytes(content)
        with pytest.raises(SecretKeyUnusable):
            load_secret_key(None, tmp_path)
        assert path.read_bytes() == content
