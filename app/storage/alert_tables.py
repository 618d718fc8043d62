"""Alerts and the episodes they fired in."""
