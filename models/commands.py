"""``renzheng models``: list, fetch and verify model packs, and show their licences."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from models.fetch import FileState, fetch_asset, fetch_pack, verify_pack
from models.licences import INSIGHTFACE_PREFIX, insightface_folder, pack_licence
from models.manifest import manifest
from models.pack import DEFAULT_PACK, load_pack
from renzheng.errors import BadInput
from renzheng.settings import settings

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="List, fetch and verify model packs. 模型管理",
)

BYTES_PER_MB = 1_000_000


@app.command("list")
def list_packs() -> None:
    """Show every pack: licence, commercial use, fetched or not, size. 列出模型包"""
    table = Table("pack", "commercial use", "fetched", "MB", "licence")
    for name, pack in manifest().packs.items():
        licence = pack_licence(name)
        size_bytes = sum(file.size_bytes for file in pack.files)
        fetched = "yes" if all(state.is_right for state in verify_pack(name)) else "no"
        table.add_row(name, _permitted(licence.commercial), fetched, _megabytes(size_bytes), licence.summary)
    for name in _insightface_packs():
        licence = pack_licence(name)
        folder = insightface_folder(name)
        size_bytes = sum(path.stat().st_size for path in folder.glob("*.onnx")) if folder else 0
        table.add_row(name, _permitted(licence.commercial), "yes", _megabytes(size_bytes), licence.summary)
    _console().print(table)


@app.command()
def fetch(name: str = typer.Argument(DEFAULT_PACK, metavar="[PACK]", help="Pack or asset of the manifest.")) -> None:
    """Bring a pack (or an asset such as demo-people) into the cache, check its digests and prepare it. 下载并校验"""
    if name in manifest().assets:
        print(fetch_asset(name))
        return
    fetch_pack(name)
    pack = load_pack(name)
    for path in (pack.detector_path, pack.embedder_path):
        print(path)


@app.command()
def verify(name: str = typer.Argument(DEFAULT_PACK, metavar="[PACK]")) -> None:
    """Read the fetched files again and compare their digests. 重新校验"""
    states = verify_pack(name)
    for state in states:
        print(f"{_verdict(state)}  {state.file.file}  sha256 {state.actual_sha256 or '-'}")
    wrong = [state.file.file for state in states if not state.is_right]
    if wrong:
        raise BadInput(f"{', '.join(wrong)}: not as the manifest says; run: renzheng models fetch {name}")


@app.command()
def licences() -> None:
    """Show under which licence every pack and asset stands, and where its text is. 许可证"""
    table = Table("pack or asset", "commercial use", "acknowledged", "licence", "text")
    for name in [*manifest().packs, *_insightface_packs()]:
        licence = pack_licence(name)
        acknowledged = "yes" if name in settings().acknowledged_packs else "-" if licence.commercial else "no"
        table.add_row(name, _permitted(licence.commercial), acknowledged, licence.summary, "\n".join(licence.urls))
    for name, asset in manifest().assets.items():
        table.add_row(name, _permitted(asset.licence.commercial), "-", asset.licence.name, asset.licence.url)
    _console().print(table)


def _insightface_packs() -> list[str]:
    root = settings().insightface_dir
    if root is None or not root.is_dir():
        return []
    return [f"{INSIGHTFACE_PREFIX}{folder.name}" for folder in sorted(root.iterdir()) if any(folder.glob("*.onnx"))]


def _verdict(state: FileState) -> str:
    return "absent" if state.actual_sha256 is None else "right " if state.is_right else "WRONG "


def _permitted(commercial: bool) -> str:
    return "permitted" if commercial else "not permitted"


def _megabytes(count_bytes: int) -> str:
    return f"{count_bytes / BYTES_PER_MB:.1f}"


def _console() -> Console:
    """A console that folds long cells on a terminal and never cuts them in a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=240)
