"""The script of the demo holds together: nobody strays into a window, and every kind of verdict is there."""

from __future__ import annotations

import itertools

import pytest

from renzheng.contracts import Verdict
from renzheng.demo.motion import OFF_LEFT_X, WALK_S, pose_at
from renzheng.demo.painting import PICTURE_WH
from renzheng.demo.town import AFTER_S, BEFORE_S, COUNTER_ZONE, MORNING, PEOPLE, SESSIONS, Act, Session, truth


def acts_in_window(session: Session, at_s: float) -> list[Act]:
    return [act for act in session.acts if act.enter_s < at_s + AFTER_S and act.leave_s > at_s - BEFORE_S]


def customers(session: Session, at_s: float) -> list[Act]:
    return [act for act in acts_in_window(session, at_s) if act.who != "clerk"]


@pytest.mark.parametrize("session", SESSIONS, ids=["morning", "afternoon"])
def test_a_customer_is_seen_in_the_window_of_one_swipe_only(session):
    for act in session.acts:
        if act.who != "clerk":
            windows = [swipe for swipe in session.swipes if act in acts_in_window(session, swipe.at_s)]
            assert len(windows) == 1, act


@pytest.mark.parametrize("session", SESSIONS, ids=["morning", "afternoon"])
def test_windows_lie_inside_the_recording_and_do_not_overlap(session):
    moments = [swipe.at_s for swipe in session.swipes]
    assert min(moments) - BEFORE_S >= 0
    assert max(moments) + AFTER_S <= session.length_s
    assert all(b - a >= BEFORE_S + AFTER_S for a, b in itertools.pairwise(moments))


def test_who_is_in_the_window_fits_the_truth():
    for session in SESSIONS:
        for swipe in session.swipes:
            there = [act.who for act in customers(session, swipe.at_s)]
            if swipe.verdict is Verdict.MATCH:
                assert swipe.card in there
            elif swipe.verdict is Verdict.HOLDER_ABSENT:
                assert acts_in_window(session, swipe.at_s) == []
            elif swipe.verdict is Verdict.STAFF_ONLY:
                assert [act.who for act in acts_in_window(session, swipe.at_s)] == ["clerk"]
            elif swipe.verdict in (Verdict.MISMATCH, Verdict.PROXY_MATCH):
                assert there
                assert swipe.card not in there


def test_a_clerk_alone_stands_in_the_counter_zone():
    for session in SESSIONS:
        for swipe in session.swipes:
            if swipe.verdict is Verdict.STAFF_ONLY:
                pose = pose_at(acts_in_window(session, swipe.at_s)[0], swipe.at_s)
                assert pose is not None
                assert pose.x < COUNTER_ZONE[1][0] * PICTURE_WH[0]


def test_every_verdict_appears_and_four_retained_cards_differ():
    rows = truth()
    assert {row.verdict for row in rows} == set(Verdict) - {Verdict.PENDING_REFERENCE}
    retained = [row.psn_no for row in rows if row.verdict is Verdict.STAFF_ONLY]
    assert len(retained) == len(set(retained)) == 4


def test_the_truth_is_numbered_in_order_of_time():
    rows = truth()
    assert [row.swiped_at for row in rows] == sorted(row.swiped_at for row in rows)
    assert len({row.setl_id for row in rows}) == len(rows)


def test_one_window_lies_across_two_recordings():
    cut = MORNING.cuts_s[0]
    assert any(swipe.at_s - BEFORE_S < cut < swipe.at_s + AFTER_S for swipe in MORNING.swipes)


def test_people_come_from_outside_the_picture_stand_still_enough_and_leave():
    act = Act("zhou", 10, 20, 600)
    assert pose_at(act, 9.99) is None
    assert pose_at(act, 20) is None
    first, standing = pose_at(act, 10), pose_at(act, 15)
    assert first.x < OFF_LEFT_X + 20
    assert abs(standing.x - 600) < 15
    assert abs(pose_at(act, 10 + WALK_S + 0.01).x - 600) < 15


def test_nobody_jumps_from_frame_to_frame():
    for session in SESSIONS:
        for act in session.acts:
            times = [act.enter_s + n / 25 for n in range(int((act.leave_s - act.enter_s) * 25))]
            poses = [pose_at(act, t) for t in times]
            for a, b in itertools.pairwise(poses):
                assert abs(b.yaw_deg - a.yaw_deg) < 8, act
                assert abs(b.x - a.x) < 120, act


def test_every_person_has_a_cutout_and_a_garment():
    from renzheng.demo.painting import GARMENTS
    from renzheng.demo.people import CUTOUTS

    assert all(person.cutout in CUTOUTS and person.garment in GARMENTS for person in PEOPLE.values())
