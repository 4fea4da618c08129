"""What the repository says about itself is so: links, commands, versions, words that do not belong."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import renzheng
from tests.translations import IN_BOTH_LANGUAGES, document_problems

ROOT = Path(__file__).resolve().parents[1]
OURS = Path(__file__).relative_to(ROOT)

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MAKE_COMMAND = re.compile(r"\bmake ([a-z][a-z-]*)\b(?=[`\s]|$)")
MAKE_IN_TEXT = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
RENZHENG_COMMAND = re.compile(r"\brenzheng ([a-z]+)\b")
OPTION = re.compile(r"(--[a-z]+(?:-[a-z]+)*)")
PERSONAL_PATH = re.compile(r"(?<![\w.$}/])/(?!opt/renzheng\b)(?:home|Users|root|work|private|mnt|opt)/[A-Za-z0-9._-]+")
OTHER_WORDS = re.compile(r"\b(?:lorem ipsum|TODO|FIXME|XXX|placeholder text)\b")
NOT_TEXT = {".png", ".jpg", ".onnx", ".ico"}


def tracked() -> list[Path]:
    """Every file under version control, relative to the root; skips where this is no git checkout."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout: {error}")
    return [Path(name) for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def markdown() -> list[Path]:
    """Every document."""
    return [path for path in tracked() if path.suffix == ".md"]


def text_of(path: Path) -> str:
    """A tracked file's text."""
    return (ROOT / path).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads(text_of(Path("pyproject.toml")))["project"]
    return table


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.*)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_decision_is_linked_from_the_index_of_documents() -> None:
    index = text_of(Path("docs/README.md"))
    pages = [path for path in markdown() if path.parent == Path("docs/adr")]
    assert pages
    assert [page.name for page in pages if f"(adr/{page.name})" not in index] == []


def test_numbers_of_decisions_are_used_once_and_stand_in_their_title() -> None:
    pages = [path for path in markdown() if path.parent == Path("docs/adr")]
    numbers = [page.name[:4] for page in pages]
    assert sorted(set(numbers)) == sorted(numbers)
    assert [page.name for page in pages if not text_of(page).startswith(f"# {page.name[:4]}. ")] == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in markdown():
        for target in LINK.findall(text_of(page)):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            goal = (ROOT / page.parent / path).resolve() if path else ROOT / page
            if not goal.exists() or (anchor and anchor not in anchors(goal.relative_to(ROOT))):
                broken.append(f"{page}: {target}")
    assert broken == []


def test_make_targets_that_documents_name_exist() -> None:
    makefile = text_of(Path("Makefile"))
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    named = {
        (str(page), command)
        for page in markdown()
        for code in MAKE_IN_TEXT.findall(text_of(page))
        for command in MAKE_COMMAND.findall(code)
    }
    assert {"demo", "test"} <= {command for page, command in named if page == "README.md"}
    assert {(page, command) for page, command in named if command not in targets} == set()


def test_renzheng_commands_that_readmes_and_guides_name_exist() -> None:
    from renzheng.cli import MOUNTS

    for stem in IN_BOTH_LANGUAGES:
        for page in (f"{stem}.md", f"{stem}.zh-CN.md"):
            code = " ".join(MAKE_IN_TEXT.findall(text_of(Path(page))))
            assert set(RENZHENG_COMMAND.findall(code)) - set(MOUNTS) == set(), page


@pytest.mark.parametrize("page", ["docs/audit.md", "docs/audit.zh-CN.md"])
def test_the_operators_guide_names_every_option_of_the_audit_and_no_other(page: str) -> None:
    from typer.main import get_command

    import renzheng.cli

    command = get_command(renzheng.cli.app).get_command(None, "audit")  # type: ignore[attr-defined, arg-type]
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    table = text_of(Path(page)).split("\n## ")[1]
    assert set(OPTION.findall(table)) == options - {"--help"}


def test_settings_that_documents_name_are_those_of_the_program() -> None:
    from renzheng.settings import Settings

    named = set(re.findall(r"\| `([a-z_]+)` \| `RENZHENG_", text_of(Path("docs/settings.md"))))
    assert named == set(Settings.model_fields)


def test_the_changelog_has_an_entry_for_this_version() -> None:
    assert project()["version"] == renzheng.__version__
    assert re.search(rf"^## {re.escape(renzheng.__version__)}\b", text_of(Path("CHANGELOG.md")), re.MULTILINE)


def test_every_direct_dependency_is_explained_and_pinned() -> None:
    table = project()
    extras = table["optional-dependencies"].values()
    wanted = [*table["dependencies"], *(requirement for extra in extras for requirement in extra)]
    names = [re.split(r"[^A-Za-z0-9._-]", requirement)[0] for requirement in wanted]
    explained = text_of(Path("docs/dependencies.md"))
    assert [name for name in names if f"`{name}`" not in explained] == []
    pinned = {_plain(line.split("==")[0]) for line in text_of(Path("constraints.txt")).splitlines()}
    assert [name for name in names if _plain(name) not in pinned] == []


def _plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_file_holds_a_path_of_somebodys_machine_or_a_note_to_self() -> None:
    found = []
    for path in tracked():
        if path.suffix in NOT_TEXT or path == OURS:
            continue
        for number, line in enumerate(text_of(path).splitlines(), start=1):
            if PERSONAL_PATH.search(line) or OTHER_WORDS.search(line):
                found.append(f"{path}:{number}: {line.strip()[:100]}")
    assert found == []


def test_no_weights_recordings_or_large_files_are_kept_here() -> None:
    kept = [path for path in tracked() if path.suffix in {".onnx", ".mp4", ".mkv", ".ts", ".whl"}]
    assert kept == []
    assert [path for path in tracked() if (ROOT / path).stat().st_size > 300_000] == []


def test_pictures_kept_here_are_the_drawn_ones_of_the_readme() -> None:
    pictures = {str(path) for path in tracked() if path.suffix in {".png", ".jpg", ".jpeg", ".webp", ".gif"}}
    assert pictures <= {f"docs/images/{name}.{language}.png" for name in ("report", "box") for language in ("zh", "en")}


def test_readme_and_guides_say_the_same_in_both_languages() -> None:
    assert document_problems() == []


def test_a_missing_document_and_a_missing_section_are_told(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for stem in IN_BOTH_LANGUAGES:
        (tmp_path / f"{stem}.md").write_text("# A\n\n## B\n\n```\n# no heading\n```\n", encoding="utf-8")
        (tmp_path / f"{stem}.zh-CN.md").write_text("# 甲\n\n## 乙\n\n```\n```\n", encoding="utf-8")
    assert document_problems(tmp_path) == []
    (tmp_path / "README.zh-CN.md").write_text("# 甲\n", encoding="utf-8")
    (tmp_path / "docs" / "audit.zh-CN.md").unlink()
    assert document_problems(tmp_path) == [
        "README: other headings in English (2) than in Chinese (1)",
        "README: 1 code blocks in English, 0 in Chinese",
        "docs/audit.zh-CN.md: is not there",
    ]
