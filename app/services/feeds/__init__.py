"""Live feeds: from messages to stored rows, each exactly once."""
