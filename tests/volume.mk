# tests of volume
