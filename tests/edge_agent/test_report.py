"""The report: one page that needs nothing else, in two languages, whatever it is given."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
from collections.abc import Sequence
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from edge_agent.report import RecordingFact, RefusedPhoto, ReportFacts, write_report
from edge_agent.report.cards import best_samples, clip_link, masked, score_scale, shown_value
from edge_agent.report.geometry import Axis, lanes, merged
from edge_agent.report.timeline import days
from renzheng.contracts import IdentityCheck, PackReference, Reason, TrackRole, Verdict
from tests.edge_agent.builders import NOON, THRESHOLDS, a_check, a_clip, a_sample, a_track, draw_face
from tests.edge_agent.sample_day import sample_day

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}{x}"
_VOID = {"meta", "img", "br", "link", "input", "hr"}
_ADDRESSES = {"src", "href", "action", "poster", "data", "srcset", "xlink:href"}


class Page(HTMLParser):
    """The parsed page: tags with their attributes, and the text outside style and script."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.inline: dict[str, str] = {"style": "", "script": ""}
        self.unclosed: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"<{tag}> names an attribute twice: {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed, f"</{tag}> closes nothing"
        opened = self.unclosed.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        if self.unclosed and self.unclosed[-1] in self.inline:
            self.inline[self.unclosed[-1]] += data
        else:
            self.text += data

    def all(self, tag: str, class_name: str = "") -> list[dict[str, str | None]]:
        """Attributes of every such tag, or of those that carry the class."""
        found = [attrs for name, attrs in self.tags if name == tag]
        return [attrs for attrs in found if not class_name or class_name in (attrs.get("class") or "").split()]

    def english(self) -> list[str]:
        """Every English text."""
        return [v or "" for _, attrs in self.tags for name, v in attrs.items() if name.startswith("data-en")]


def _page(checks: Sequence[IdentityCheck], facts: ReportFacts, out_dir: Path) -> Page:
    page = Page(write_report(checks, facts, out_dir).read_text(encoding="utf-8"))
    assert not page.unclosed, f"left open: {page.unclosed}"
    return page


@pytest.fixture(scope="module")
def day_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the report of the sample day."""
    out_dir = tmp_path_factory.mktemp("day")
    checks, facts = sample_day(out_dir)
    write_report(checks, facts, out_dir)
    return out_dir


@pytest.fixture(scope="module")
def day_page(day_dir: Path) -> Page:
    """The sample day's page, parsed."""
    return Page((day_dir / "report.html").read_text(encoding="utf-8"))


def test_the_page_asks_for_nothing_but_itself_and_the_clips_beside_it(day_page: Page) -> None:
    for tag, attrs in day_page.tags:
        for name in _ADDRESSES & set(attrs):
            address = attrs[name] or ""
            assert address.startswith(("data:image/jpeg;base64,", "#", "clips/")), f"<{tag} {name}={address[:60]}>"
    assert "link" not in {tag for tag, _ in day_page.tags}
    for text in day_page.inline.values():
        assert not re.search(r"https?:|@import|url\((?!#)|fetch\(|XMLHttp", text)


def test_the_policy_admits_only_this_style_and_script(day_page: Page) -> None:
    (policy,) = [m["content"] or "" for m in day_page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for text in day_page.inline.values():
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    handlers = [name for _, attrs in day_page.tags for name in attrs if name == "style" or name.startswith("on")]
    assert handlers == []


def test_chinese_is_complete_without_the_script(day_page: Page) -> None:
    assert ("html", {"lang": "zh-CN"}) in day_page.tags
    for words in ("任何结论都不是违规认定", "本人", "非本人", "仅有店员", "无法判断", "侧脸", "采信 0.363", "无录像"):
        assert words in day_page.text
    assert not re.search(r"holder present|somebody else|not assessable|no footage", day_page.text)


def test_english_is_beside_every_word_and_holds_no_chinese(day_page: Page) -> None:
    words = day_page.english()
    assert any("No verdict in it is a finding of violation" in text for text in words)
    assert {"holder present", "somebody else", "staff only", "head turned away", "no footage"} <= set(words)
    ours = [text for text in words if not text.startswith("Renzheng")]
    assert [text for text in ours if re.search(r"[\u4e00-\u9fff]", text)] == []


def test_every_swipe_has_a_card_and_a_mark_that_leads_to_it(day_page: Page) -> None:
    names = [card["id"] for card in day_page.all("article", "card")]
    assert names == [f"s{n}" for n in range(1, 15)]
    assert {mark["href"] for mark in day_page.all("a", "mark")} == {f"#{name}" for name in names}


def test_every_reference_within_the_page_has_a_target(day_page: Page) -> None:
    ids = {attrs["id"] for _, attrs in day_page.tags if "id" in attrs}
    wanted = {(attrs["href"] or "")[1:] for _, attrs in day_page.tags if (attrs.get("href") or "").startswith("#")}
    wanted |= {attrs["aria-labelledby"] or "" for _, attrs in day_page.tags if "aria-labelledby" in attrs}
    assert wanted <= ids
    assert len(ids) == len([1 for _, attrs in day_page.tags if "id" in attrs])


def test_clips_are_loaded_only_when_asked_for(day_page: Page) -> None:
    videos = day_page.all("video")
    assert len(videos) == 13
    assert {video["preload"] for video in videos} == {"none"}
    assert videos[0]["src"] == "clips/S0000.mp4#t=6.0"


def test_pictures_are_small_and_have_words(day_page: Page) -> None:
    images = day_page.all("img")
    assert images
    for image in images:
        raw = base64.b64decode((image["src"] or "").partition(",")[2])
        assert max(Image.open(io.BytesIO(raw)).size) <= 112
        assert image["alt"]
        assert image["data-en-alt"]


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        checks, facts = sample_day(tmp_path / name)
        pages.append(write_report(checks, facts, tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_a_time_of_the_run_is_shown_only_when_given(tmp_path: Path) -> None:
    facts = ReportFacts("t", agent_version="0.1.0")
    assert "生成时间" not in _page([], facts, tmp_path).text
    assert "2026-05-01 12:00:00" in _page([], dataclasses.replace(facts, made_at=NOON), tmp_path).text


def _evil_check(out_dir: Path) -> IdentityCheck:
    track = a_track(agent_score=0.5, agent_psn_no=EVIL, staff_score=0.4, staff_id=EVIL)
    return a_check(
        tracks=[track],
        samples=(a_sample(crop=EVIL), a_sample(0, 1.0, crop="../../etc/passwd")),
        score=0.6,
        swipe_id=EVIL,
        psn_no=EVIL,
        fixmedins_code=EVIL,
        terminal_id=EVIL,
        clip=a_clip(EVIL).model_copy(update={"sha256": EVIL, "source": (EVIL,)}),
        pack=PackReference(name=EVIL, detector_sha256=EVIL, embedder_sha256=EVIL),
        thresholds=THRESHOLDS.model_copy(update={"name": EVIL, "digest": EVIL}),
        agent_version=EVIL,
    )


def test_markup_in_any_field_stays_text(tmp_path: Path) -> None:
    check = _evil_check(tmp_path)
    facts = ReportFacts(
        title=EVIL,
        institutions=(EVIL,),
        recordings=(RecordingFact(EVIL, NOON, NOON + timedelta(hours=1), 3600.0),),
        thresholds=check.thresholds,
        pack=check.pack,
        licences=(EVIL,),
        refused_photos=(RefusedPhoto(EVIL, EVIL, Reason.NO_FACE),),
        bad_rows=(EVIL,),
        warnings=(EVIL,),
        enrolled={EVIL: draw_face(tmp_path / "faces/e.jpg", 1)},
        platform_fields={EVIL: {"psn_name": EVIL, EVIL: EVIL, "certno": EVIL}},
        parameters=((EVIL, EVIL),),
        agent_version=EVIL,
    )
    page = _page([check, check.model_copy(update={"verdict": Verdict.PROXY_MATCH})], facts, tmp_path)
    assert len(page.all("script")) == 1
    assert not [attrs for _, attrs in page.tags if "onerror" in attrs]
    assert page.text.count(EVIL) > 20


@pytest.mark.parametrize(
    "path", ["../x.mp4", "/etc/x.mp4", "http://h/x.mp4", "javascript:alert(1)", "a/../../x", "\\\\h\\x"]
)
def test_a_clip_that_leads_elsewhere_is_not_linked(path: str) -> None:
    assert clip_link(a_check(clip=a_clip(path))) is None


def test_a_clip_with_odd_characters_is_linked_quoted() -> None:
    link = clip_link(a_check(clip=a_clip("clips/结算 #1?.mp4")))
    assert link is not None
    assert link.href == "clips/%E7%BB%93%E7%AE%97%20%231%3F.mp4"
    assert (link.swipe_at_s, link.start_at_s) == (8.0, 6.0)


def test_no_checks_give_a_page_that_says_so(tmp_path: Path) -> None:
    page = _page([], ReportFacts("空"), tmp_path)
    assert "没有需要核验的刷卡记录" in page.text
    assert not page.all("article")


@pytest.mark.parametrize("verdict", Verdict)
def test_a_check_with_nothing_seen_is_shown(tmp_path: Path, verdict: Verdict) -> None:
    page = _page([a_check(verdict, [], samples=(), score=None)], ReportFacts("t"), tmp_path)
    for words in ("没有可比对的得分", "没有人脸轨迹", "没有可显示的人脸画面", "没有保留录像片段", "无建档照片"):
        assert words in page.text


def test_pictures_that_are_missing_or_broken_leave_a_placeholder(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    (tmp_path / "text.jpg").write_text("hello")
    crops = ["nowhere.jpg", "broken.jpg", "text.jpg", None]
    samples = tuple(a_sample(0, float(i), crop=crop) for i, crop in enumerate(crops))
    facts = ReportFacts("t", enrolled={"33028100000000000001": tmp_path / "gone.jpg"})
    page = _page([a_check(samples=samples)], facts, tmp_path)
    assert not page.all("img")
    assert page.text.count("画面文件缺失") == 4
    assert "无建档照片" in page.text


def test_hundreds_of_checks_keep_the_page_light(tmp_path: Path) -> None:
    checks = [a_check(swipe_id=f"S{i:04d}", at=NOON + timedelta(seconds=47 * i)) for i in range(400)]
    page = _page(checks, ReportFacts("t"), tmp_path)
    assert len(page.all("article", "card")) == 400
    assert len(page.tags) < 400 * 180
    assert (tmp_path / "report.html").stat().st_size < 8_000_000


def test_a_match_shows_nobody_but_the_holder() -> None:
    tracks = [a_track(0), a_track(1, TrackRole.OTHER, holder_score=0.1)]
    samples = (a_sample(1, -1.0), *(a_sample(0, float(s)) for s in (2, 1, 0)))
    shown = best_samples(a_check(tracks=tracks, samples=samples, score=0.6))
    assert [(s.track, s.offset_s) for s in shown] == [(0, 0.0), (0, 1.0), (0, 2.0)]


def test_a_mismatch_shows_the_best_of_every_track_in_the_zone() -> None:
    tracks = [a_track(n, TrackRole.OTHER, holder_score=0.1 - n / 100) for n in range(3)]
    outside = a_track(9, TrackRole.OUTSIDE)
    samples = [a_sample(n, s, quality=0.5 + s / 10) for n in range(3) for s in (0.0, 1.0, 2.0)]
    check = a_check(Verdict.MISMATCH, [*tracks, outside], samples=(*samples, a_sample(9)), score=0.1)
    assert [(s.track, s.offset_s) for s in best_samples(check)] == [(0, 1.0), (0, 2.0), (1, 1.0), (1, 2.0), (2, 2.0)]


def test_the_scale_runs_from_minus_a_fifth_to_one() -> None:
    scale = score_scale(a_check(score=0.4))
    assert (scale.reject, scale.accept, scale.few, scale.pin) == ("37.50%", "46.92%", "55.25%", "50.00%")
    assert score_scale(a_check(score=-0.9)).pin == "0.00%"
    assert score_scale(a_check(score=None)).pin is None


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("CertNo", "AB123456", "A******6"),
        (" MDTRT_CERT_NO ", "AB123456", "A******6"),
        ("备注", "身份证11010519491231002X，代买", "身份证1101**********002X，代买"),
        ("id", "11010519491231002x", "1101**********002x"),
        ("note", "tel. 13800138000 or 138-0013-8001", "tel. 1*********0 or 138-*****8001"),
        ("phone", "+8613912345678", "+861******5678"),
        ("invono", "033001900104", "033001900104"),
        ("medfee_sumamt", "12800.00", "12800.00"),
        ("psn_no", "11010519491231002X", "11010519491231002X"),
        ("SETL_ID", "110105194912310021", "110105194912310021"),
        ("mdtrt_id", "1101051949123100212", "1101051949123100212"),
    ],
)
def test_numbers_of_people_are_covered_whatever_their_column_is_called(name: str, value: str, shown: str) -> None:
    assert shown_value(name, value) == shown


def test_secret_numbers_are_masked() -> None:
    assert masked("11010519491231002X") == "1101**********002X"
    assert masked("AB12") == "A***2"
    assert masked("") == ""


def test_a_night_shift_is_two_days() -> None:
    recording = RecordingFact("n", NOON + timedelta(hours=11), NOON + timedelta(hours=13), 7200.0)
    first, second = days([a_check(at=NOON + timedelta(hours=12, minutes=5))], [recording], ["s1"])
    assert (first.date, second.date) == ("2026-05-01", "2026-05-02")
    assert (len(first.marks), len(second.marks)) == (0, 1)
    assert first.ticks[-1].text == "24:00"
    assert second.ticks[0].text == "00:00"


def test_a_swipe_alone_still_has_an_axis_and_no_footage() -> None:
    (day,) = days([a_check()], [], ["s1"])
    assert len(day.ticks) >= 2
    assert [gap.width for gap in day.gaps] == ["100.00%"]


def test_the_clock_offset_moves_a_swipe_onto_the_cameras_time() -> None:
    recording = RecordingFact("r", NOON, NOON + timedelta(hours=2), 7200.0)
    (day,) = days([a_check(offset_s=3600.0)], [recording], ["s1"])
    assert (day.marks[0].x, day.marks[0].time) == ("50.00%", "12:00:00")


def test_marks_close_together_take_turns_and_gaps_are_what_is_left() -> None:
    assert lanes([], 1.0, 3) == []
    assert lanes([0.0, 0.1, 0.2, 0.3, 5.0], 1.0, 3) == [0, 1, 2, 0, 0]
    assert merged([(3.0, 4.0), (0.0, 1.0), (0.5, 2.0)]) == [(0.0, 2.0), (3.0, 4.0)]
    with pytest.raises(ValueError, match="expected low before high"):
        Axis(1.0, 1.0)
