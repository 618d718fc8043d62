"""Alerts: wished for, judged bar by bar, told once in a conversation and by webhook."""
