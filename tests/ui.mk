# tests of ui
TESTS += tests/man.sh
EXTRA_DIST += tests/man.sh
