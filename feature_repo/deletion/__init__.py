"""What a member wants forgotten: online, in the stream, in the log and in the lake."""
