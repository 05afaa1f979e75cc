"""The report of one or more runs: a page for a reviewer, and the same tables as text."""
