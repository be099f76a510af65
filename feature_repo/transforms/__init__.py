"""Pure functions from records to feature values: the only place where a value is computed."""
