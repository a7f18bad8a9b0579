"""Tests: what they share is in `tests.shared`, whose assertions say what they compared."""

import pytest

pytest.register_assert_rewrite("tests.shared")
