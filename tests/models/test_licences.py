from __future__ import annotations

from pathlib import Path

import pytest

from models.licences import LicenceNotAcknowledged, pack_licence, refuse_unlicensed
from models.pack import load_pack
from renzheng.errors import BadInput, MissingPart
from tests.models.conftest import SetSettings

PACK = "insightface:buffalo_l"


def test_the_default_pack_may_be_used_commercially(set_settings: SetSettings) -> None:
    assert pack_licence("opencv-zoo").commercial
    refuse_unlicensed("opencv-zoo")


def test_a_non_commercial_pack_is_refused_with_what_to_set(set_settings: SetSettings) -> None:
    with pytest.raises(LicenceNotAcknowledged) as refusal:
        load_pack(PACK)
    assert """RENZHENG_ACKNOWLEDGED_PACKS='["insightface:buffalo_l"]'""" in str(refusal.value)


def test_what_the_refusal_says_to_set_is_what_lets_the_pack_through(set_settings: SetSettings) -> None:
    set_settings(acknowledged_packs='["insightface:buffalo_l"]')
    refuse_unlicensed(PACK)


def test_acknowledging_one_pack_does_not_acknowledge_another(set_settings: SetSettings) -> None:
    set_settings(acknowledged_packs='["insightface:buffalo_s"]')
    with pytest.raises(LicenceNotAcknowledged):
        refuse_unlicensed(PACK)


def test_a_pack_without_a_signed_licence_counts_as_non_commercial(set_settings: SetSettings, tmp_path: Path) -> None:
    pytest.importorskip("insightface")
    (tmp_path / "buffalo_l").mkdir()
    set_settings(insightface_dir=tmp_path)
    licence = pack_licence(PACK)
    assert not licence.commercial
    assert "non-commercial" in licence.summary


def test_an_acknowledged_pack_that_is_not_there_names_the_folder_it_was_sought_in(
    set_settings: SetSettings, tmp_path: Path
) -> None:
    pytest.importorskip("insightface")
    set_settings(acknowledged_packs='["insightface:buffalo_l"]', insightface_dir=tmp_path)
    with pytest.raises(MissingPart, match=str(tmp_path / "buffalo_l")):
        load_pack(PACK)


def test_an_unknown_pack_is_refused_with_the_known_ones(set_settings: SetSettings) -> None:
    with pytest.raises(BadInput, match="known packs: opencv-zoo"):
        refuse_unlicensed("nothing")
