# tests of bitmap
