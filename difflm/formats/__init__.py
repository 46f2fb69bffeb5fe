"""Records as text and as tokens, and the grammar of what is valid."""
