"""``Server-Timing`` on every response, and request times for the metrics."""

from __future__ import annotations

from time import perf_counter

from flask import Flask, Response, g, request

from serving.metrics import Metrics


def register_timing(app: Flask, metrics: Metrics) -> None:
    """Time every request."""

    def begin() -> None:
        g.begin = perf_counter()
        g.timings = []

    def finish(response: Response) -> Response:
        seconds = perf_counter() - g.begin
        rule = request.url_rule.rule if request.url_rule is not None else "unknown"
        metrics.request_finished(rule, response.status_code, seconds)
        entries = [*g.timings, ("total", seconds * 1e3)]
        response.headers["Server-Timing"] = ", ".join(f"{name};dur={ms:.3f}" for name, ms in entries)
        return response

    app.before_request(begin)
    app.after_request(finish)


def report_stages(timings: list[tuple[str, float]]) -> None:
    """Add stages (name, milliseconds) to this response's header."""
    g.timings.extend(timings)
