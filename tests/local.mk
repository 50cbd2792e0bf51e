# tests; one fragment per area below tests/
