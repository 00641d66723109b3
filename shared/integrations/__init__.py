"""Integrations in the store: what a service may know of one, and how it pauses, resumes and is closed for good."""
