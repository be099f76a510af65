"""The parity proof: the ranker is served what training would retrieve. See docs/parity.md."""
