"""Refuses what must be refused and can prove it afterwards: rules, models, the audit log."""
