"""Threshold sets: named files that say where accept and reject lie and what that claim rests on."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from renzheng.contracts.base import Contract
from renzheng.contracts.check import Cosine, ThresholdValues
from renzheng.errors import BadInput

SHIPPED_DIR = Path(__file__).parent / "sets"


class Rate(Contract):
    """An error rate that was measured at a threshold, with its bootstrap interval by person."""

    value: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class ThresholdSet(Contract):
    """Where the decision bands lie for one model pack, and the evidence for it."""

    name: str = Field(min_length=1, max_length=80)
    pack: str = Field(min_length=1)
    accept: Cosine
    reject: Cosine
    few_samples_margin: float = Field(ge=0, le=1)
    target_fmr: float = Field(gt=0, lt=1)
    target_fnmr: float = Field(gt=0, lt=1)
    fmr_at_accept: Rate
    fnmr_at_accept: Rate
    fnmr_at_reject: Rate
    people: int = Field(ge=2)
    pictures: int = Field(ge=2)
    refused_pictures: int = Field(ge=0, description="pictures the quality gate refused; part of no comparison")
    mated_comparisons: int = Field(ge=1)
    non_mated_comparisons: int = Field(ge=1)
    source: str = Field(description="what was compared, in words")

    @model_validator(mode="after")
    def _bands_in_order(self) -> ThresholdSet:
        if not self.reject < self.accept:
            raise ValueError(f"expected reject below accept, got {self.reject} and {self.accept}")
        return self

    def values(self, digest: str) -> ThresholdValues:
        """What a check stores of the set."""
        return ThresholdValues(
            name=self.name,
            digest=digest,
            accept=self.accept,
            reject=self.reject,
            few_samples_margin=self.few_samples_margin,
            target_fmr=self.target_fmr,
            target_fnmr=self.target_fnmr,
        )


def shipped_names() -> list[str]:
    """Names of the sets that come with the product."""
    return sorted(path.stem for path in SHIPPED_DIR.glob("*.toml"))


def load_set(name_or_file: str) -> tuple[ThresholdSet, str]:
    """A shipped set by name, or any set by file, with the sha256 of its bytes.

    Raises :class:`BadInput` that names the file and each field that is wrong.
    """
    shipped = SHIPPED_DIR / f"{name_or_file}.toml"
    path = shipped if name_or_file in shipped_names() else Path(name_or_file)
    try:
        data = path.read_bytes()
    except OSError as error:
        known = ", ".join(shipped_names()) or "none"
        raise BadInput(f"{name_or_file}: neither a shipped threshold set ({known}) nor a readable file") from error
    try:
        threshold_set = ThresholdSet.model_validate(tomllib.loads(data.decode("utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path}: expected a threshold set in TOML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'set'}: {e['msg']}" for e in error.errors())
        raise BadInput(f"{path}: {wrong}") from error
    return threshold_set, hashlib.sha256(data).hexdigest()
