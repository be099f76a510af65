"""What a server takes in: new members and titles, checked against what is known already."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from feature_repo import schema as s
from feature_repo.arrivals import NewMember
from serving.arrivals import ArrivalSource
from serving.members import FeatureReader
from serving.state import ServingState


class AlreadyMemberError(ValueError):
    """Somebody of that name is a member, with another profile or other picks."""

    def __init__(self, user_id: str) -> None:
        super().__init__(
            f"user_id = {user_id!r}: is a member already, with another profile or other picks; "
            "sign up with another user_id"
        )


def sign_up(reader: FeatureReader, arrivals: ArrivalSource, state: ServingState, member: NewMember) -> bool:
    """Take in a member; return whether they are new. Sent again, the same sign-up changes nothing.

    A sign-up is no way to change a member: anybody may send one, and it would lift a maturity limit.
    Raises :class:`AlreadyMemberError`, and ``feature_repo.arrivals.UnknownTitleError`` for a pick that is not
    in the catalogue; then nothing is stored.
    """
    now = state.clock()
    known = reader.member_features(member.user_id, now)
    profile = (str(known[s.COUNTRY][0]), str(known[s.LANGUAGE][0]))
    limited = bool(np.isfinite(known[s.MATURITY_LIMIT][0]))
    same_profile = profile == (member.country or "", member.language or "")
    if np.isfinite(known[s.PICKED_AT][0]):
        if same_profile and tuple(known[s.SELECTED_TITLE_IDS][0]) == member.selected_title_ids:
            return False
        raise AlreadyMemberError(member.user_id)
    # A profile without picks is an older member's, or what a sign-up that broke off has left: finish that.
    if limited or (any(profile) and not same_profile):
        raise AlreadyMemberError(member.user_id)
    arrivals.add_member(member, state.catalogue.title_ids, now)
    return True


def next_version(reader: FeatureReader, title_id: str, now: datetime) -> datetime:
    """Return since when a title's metadata that came in at ``now`` is known: after any version before it.

    The feature store keeps the latest version, and drops an earlier one without a word. Clocks of workers
    differ a little, and a clock that replays old data begins anew with the server.
    """
    updated_at = float(reader.title_snapshot([title_id], now).columns[s.UPDATED_AT][0])
    if np.isnan(updated_at):
        return now
    latest = datetime.fromtimestamp(0, now.tzinfo) + timedelta(microseconds=int(updated_at))
    return max(now, latest + timedelta(microseconds=1))
