"""The simulated service lives on, with this server's pages."""
