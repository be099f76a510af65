"""Web pages: the homepage as members see it, and what operators look at; they use the HTTP API only."""
