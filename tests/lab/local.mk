# the kernel lab and the tests that run in it
