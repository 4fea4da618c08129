"""The contracts as JSON Schema: ``python -m renzheng.contracts.schemas DIR`` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal

from renzheng.contracts.base import Contract
from renzheng.contracts.bed import BedCheck
from renzheng.contracts.check import IdentityCheck
from renzheng.contracts.clip import ClipManifest, SignedManifest
from renzheng.contracts.delivery import DeliveryAnswer, DeliveryBatch
from renzheng.contracts.device import EnrolmentAnswer, EnrolmentRequest
from renzheng.contracts.pending import PendingSamples
from renzheng.contracts.report import AgentReport
from renzheng.contracts.swipe import Swipe
from renzheng.contracts.templates import StaffAnswer, TemplateAnswer, TemplateQuestion
from renzheng.files import write_atomic

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_Mode = Literal["validation", "serialization"]
_CONTRACTS: dict[str, tuple[type[Contract], _Mode]] = {
    "swipe": (Swipe, "validation"),  # as it comes in
    "identity_check": (IdentityCheck, "serialization"),  # as it goes out
    "bed_check": (BedCheck, "serialization"),
    "clip_manifest": (ClipManifest, "serialization"),
    "signed_manifest": (SignedManifest, "serialization"),
    "agent_report": (AgentReport, "serialization"),
    "delivery_batch": (DeliveryBatch, "serialization"),
    "delivery_answer": (DeliveryAnswer, "validation"),
    "pending_samples": (PendingSamples, "serialization"),
    "enrolment_request": (EnrolmentRequest, "serialization"),
    "enrolment_answer": (EnrolmentAnswer, "validation"),
    "template_question": (TemplateQuestion, "serialization"),
    "template_answer": (TemplateAnswer, "validation"),
    "staff_answer": (StaffAnswer, "validation"),
}


def schema_files() -> dict[str, str]:
    """File name to text of every exported schema, the same bytes for the same contracts."""
    return {f"{name}.schema.json": _schema_text(contract, mode) for name, (contract, mode) in _CONTRACTS.items()}


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema into the folder and return the paths."""
    paths = []
    for name, text in schema_files().items():
        write_atomic(folder / name, text)
        paths.append(folder / name)
    return paths


def _schema_text(contract: type[Contract], mode: _Mode) -> str:
    schema = {"$schema": DIALECT, **contract.model_json_schema(mode=mode)}
    return json.dumps(schema, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the schemas into the one folder given."""
    if len(arguments) != 1:
        print("usage: python -m renzheng.contracts.schemas DIR", file=sys.stderr)
        return 2
    for path in write_schemas(Path(arguments[0])):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
