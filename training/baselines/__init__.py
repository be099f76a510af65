"""Models that any other must beat: popularity, item neighbours, EASE."""
