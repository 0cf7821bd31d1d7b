"""Moments as records and files have them."""

import doctest

from cloudmarker import _times


def test_the_documented_examples_hold():
    result = doctest.testmod(_times)
    assert (result.attempted, result.failed) == (1, 0)
