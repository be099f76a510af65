"""The event log: what members did, durable and replayable, partitioned by member."""
