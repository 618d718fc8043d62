"""Conversations and the runs that answer in them: begun, written down, shown, added up."""
