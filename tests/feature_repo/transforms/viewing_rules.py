"""What an event means for its viewing, said once more in plain Python, for naive recounts."""

from __future__ import annotations


def reported(event_type: str, fraction: float | None) -> float:
    """How far an event says its viewing has got; 0 for a play, and where it is not known."""
    if event_type == "play":
        return 0.0
    if fraction is None:
        return 1.0 if event_type == "complete" else 0.0
    return fraction


def begins(event_type: str, fraction: float | None, furthest: float | None) -> bool:
    """Whether an event begins a viewing; the title's last one got to ``furthest``, None without one."""
    if furthest is None:
        return True
    resumes = fraction is not None and fraction > 0 and furthest < 0.8
    return event_type == "play" and not resumes
