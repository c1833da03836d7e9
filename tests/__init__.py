"""Tests of the optimizer: unit and integration mirror the rooms of layer/, helpers are shared."""
